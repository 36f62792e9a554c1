// What the style sheet cannot do: two small things, on every page.

{
  // Paper is white: print in the light theme.
  const root = document.documentElement;
  let theme = root.dataset.theme;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => { root.dataset.theme = theme; });

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
