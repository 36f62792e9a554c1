// Makes the interactive figures of a page live from the widget state that the notebook saved:
// no server, no widget manager, no request. Each figure's module and style sheet are in that state.
(() => {
  const find = (kind) => document.querySelectorAll(`script[type="application/vnd.jupyter.widget-${kind}+json"]`);
  const saved = Object.assign({}, ...Array.from(find("state"), (script) => JSON.parse(script.textContent).state));
  const models = new Map();
  const modules = new Map();
  const styles = new Set();

  /** A trait model with the part of anywidget's interface that the figures use. */
  function createModel({ state, buffers = [] }) {
    const values = structuredClone(state);
    for (const { path, data } of buffers) {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const last = path.at(-1);
      path.slice(0, -1).reduce((place, key) => place[key], values)[last] = new DataView(bytes.buffer);
    }
    const listeners = new EventTarget();
    return {
      get: (name) => values[name],
      set(name, value) {
        if (Object.is(values[name], value)) return;
        values[name] = value;
        for (const event of [`change:${name}`, "change"]) listeners.dispatchEvent(new Event(event));
      },
      save_changes() {}, // there is no kernel to tell
      on: (event, callback) => listeners.addEventListener(event, callback),
      off: (event, callback) => listeners.removeEventListener(event, callback),
    };
  }

  /** Import a module from its text, once however many figures use it. */
  function load(text) {
    if (!modules.has(text)) {
      modules.set(text, import(URL.createObjectURL(new Blob([text], { type: "text/javascript" }))));
    }
    return modules.get(text);
  }

  async function show(script) {
    const place = document.createElement("div");
    place.className = "widget-live";
    place.style.minHeight = "26rem"; // about a figure's height, so that the page does not jump
    script.after(place);
    try {
      const id = JSON.parse(script.textContent).model_id;
      if (!saved[id]?.state._esm) throw new Error("its state is not in the page");
      if (!models.has(id)) models.set(id, createModel(saved[id]));
      const [model, { _esm, _css }] = [models.get(id), saved[id].state];
      if (_css && !styles.has(_css)) {
        styles.add(_css);
        document.head.append(Object.assign(document.createElement("style"), { textContent: _css }));
      }
      await (await load(_esm)).default.render({ model, el: place });
    } catch (error) {
      place.setAttribute("role", "alert");
      place.textContent = `This interactive figure could not start (${error.message}). The text goes on without it.`;
    }
    place.style.minHeight = "";
  }

  find("view").forEach(show);
})();
