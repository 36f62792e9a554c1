// What the style sheet cannot do: two small things, on every page.

{
  // Paper is white, and nothing on it opens: print in the light theme, with every fold open.
  const root = document.documentElement;
  let restore = null;
  window.addEventListener("beforeprint", () => {
    if (restore) return;
    const [theme, folds] = [root.dataset.theme, document.querySelectorAll("main details:not([open])")];
    const print = (printing) => {
      root.dataset.theme = printing ? "light" : theme;
      folds.forEach((fold) => { fold.open = printing; });
    };
    print(true);
    restore = () => { print(false); restore = null; };
  });
  window.addEventListener("afterprint", () => restore?.());

  // A formula that is wider than its column scrolls; what scrolls must be reachable by keyboard.
  const markFormulas = () => {
    for (const box of document.querySelectorAll('mjx-container[display="true"]')) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    markFormulas();
    window.addEventListener("resize", markFormulas);
  });
}
