// What readers type, shared by the figures that read it.

/** Typed text as utils.text.plain has it: normal form C, plain apostrophes, no soft hyphens and joiners. */
const plain = (text) => text.normalize("NFC").replaceAll("\u2019", "'").replace(/\p{Cf}/gu, "");
