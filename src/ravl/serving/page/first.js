// Runs before anything is drawn, so that the page never shows the wrong colours or language for a moment.
(() => {
  const root = document.documentElement;
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage is off
    }
  };
  const wanted = kept("ravl.language") ?? navigator.language;
  root.lang = wanted.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
  root.dataset.theme = kept("ravl.theme") ?? "auto";
  root.dataset.waiting = "";
})();
