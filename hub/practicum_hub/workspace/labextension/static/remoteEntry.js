/* The module-federation container that JupyterLab 4 expects of a prebuilt extension, written by hand: no bundler.
 *
 * JupyterLab calls init(scope) with its shared modules, then get('./extension') and get('./style'); each gives a
 * factory. See jupyterlab/staging/bootstrap.js and index.js. A shared module is scope[name][version].get().
 */
(function () {
  'use strict';

  const here = new URL('.', document.currentScript.src);
  let scope = {};

  function byVersion(left, right) {
    return left.localeCompare(right, undefined, { numeric: true });
  }

  async function shared(name) {
    const versions = Object.keys(scope[name] || {}).sort(byVersion);
    if (versions.length === 0) {
      throw new Error(`JupyterLab does not share ${name}`);
    }
    const factory = await scope[name][versions[versions.length - 1]].get();
    return factory();
  }

  async function extension() {
    const names = ['application', 'apputils', 'coreutils', 'launcher', 'notebook', 'services', 'statedb', 'ui-components'];
    const [widgets, plugin, ...modules] = await Promise.all([
      shared('@lumino/widgets'),
      import(new URL('plugin.js', here).href),
      ...names.map(name => shared(`@jupyterlab/${name}`))
    ]);
    const lab = Object.assign({}, ...modules, { Widget: widgets.Widget });
    return () => ({ __esModule: true, default: plugin.createPlugin(lab) });
  }

  function style() {
    return new Promise(resolve => {
      const link = document.createElement('link');
      link.rel = 'stylesheet';
      link.href = new URL('style.css', here).href;
      link.onload = link.onerror = () => resolve(() => ({}));
      document.head.appendChild(link);
    });
  }

  const parts = { './extension': extension, './style': style };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.practicum = {
    init(given) {
      scope = given;
    },
    get(name) {
      return parts[name] ? parts[name]() : Promise.reject(new Error(`practicum has no module ${name}`));
    }
  };
})();
