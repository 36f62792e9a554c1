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
