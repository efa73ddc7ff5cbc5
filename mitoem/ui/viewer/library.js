/** plotly.js, loaded once per page when it is first needed. */

/** @type {Promise<any> | null} */
let plotly = null;

/** @param {string} url @returns {Promise<any>} the Plotly object */
export function loadPlotly(url) {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(/** @type {any} */ (window).Plotly);
    script.onerror = () => {
      plotly = null;
      script.remove();
      reject(new Error("plotly.js did not load"));
    };
    document.head.append(script);
  });
  return plotly;
}

/** Beside this module, out of the installed Python package. */
export const PLOTLY_URL = new URL("plotly.min.js", import.meta.url).href;
