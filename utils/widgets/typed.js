// What readers type, shared by the figures that read it.

/** Typed text as utils.text has it: Unicode's normal form C, and a typographic apostrophe is an apostrophe. */
const plain = (text) => text.normalize("NFC").replaceAll("\u2019", "'");
