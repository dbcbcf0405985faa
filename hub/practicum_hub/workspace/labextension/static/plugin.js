/* The JupyterLab plugin: the panel, two commands, the notebook toolbar's button (placed by schemas/practicum/plugin.json).
 *
 * The browser talks to this notebook server only (/practicum/…), with JupyterLab's own session and XSRF token.
 */

import { createBadge, createPanel } from './panel.js';
import * as words from './wording.js';

const FAST_MS = 3000;
const SLOW_MS = 30000;
const SHOWN_KEY = 'practicum:panel-shown';
const SHOWN_AFTER_MS = 8000;

const CAP =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">' +
  '<g class="jp-icon3" fill="#616161"><path d="M12 4 1.5 9 12 14l8.5-4.05V16H22V9z"/>' +
  '<path d="M5.5 12.6V16.5L12 19.8l6.5-3.3v-3.9L12 15.7z"/></g></svg>';
const TRAY =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">' +
  '<g class="jp-icon3" fill="#616161"><path d="M11 16V7.8l-3.3 3.3-1.4-1.4L12 4l5.7 5.7-1.4 1.4L13 7.8V16z"/>' +
  '<path d="M4 18h16v2H4z"/></g></svg>';

/* A refusal as the server words it: { code, message, …facts }. */
class Refusal extends Error {
  constructor(said, status) {
    super(said.message || `The notebook server answered with status ${status}.`);
    this.said = said;
  }
}

function createApi(lab) {
  const settings = lab.ServerConnection.makeSettings();
  return async function ask(path, body) {
    const url = lab.URLExt.join(settings.baseUrl, 'practicum', path);
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : { cache: 'no-store' };
    let response;
    try {
      response = await lab.ServerConnection.makeRequest(url, init, settings);
    } catch (failure) {
      throw new Refusal({ message: 'Your notebook server does not answer. It may have been stopped.' }, 0);
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      throw new Refusal(answer.error || { message: answer.message }, response.status);
    }
    return answer;
  };
}

/* Saves every open file with changes, so that what is handed in is what is on the screen. */
async function saveOpenFiles(app) {
  for (const widget of app.shell.widgets('main')) {
    const context = widget.context;
    if (context && context.model && context.model.dirty && !context.model.readOnly) {
      await context.save();
    }
  }
}

function currentNotebook(tracker) {
  return tracker.currentWidget ? tracker.currentWidget.context.path : null;
}

function open(url) {
  if (words.webAddress(url)) {
    window.open(url, '_blank', 'noopener');
  }
}

async function explain(lab, failure) {
  const url = words.webAddress(failure.said && failure.said.url);
  const body = new lab.Widget();
  body.addClass('pr-dialog');
  body.node.textContent = failure.message;
  const buttons = [lab.Dialog.okButton({ label: 'Close' })];
  if (url) {
    buttons.unshift(lab.Dialog.cancelButton({ label: `Open #${failure.said.number}` }));
  }
  const title = failure.said && failure.said.code === 'duplicate_submission' ? 'Already handed in' : 'Not handed in';
  const result = await lab.showDialog({ title, body, buttons, defaultButton: buttons.length - 1 });
  if (url && !result.button.accept) {
    open(result.button.label.startsWith('Open') ? url : null);
  }
}

/* How far help is for this notebook's person; none for the mentor who is in it, whom the server shows out by itself. */
function helpState(status) {
  return status && status.help && !status.help.is_guest ? status.help.state : 'none';
}

/* Keeps the last status, asks again in time, tells of what changed. */
class Follower {
  constructor({ ask, panel, badge, isPanelVisible, onEnded, onWarning, onTurn, onMoving, onHelp, onReadAlong }) {
    const told = { onEnded, onWarning, onTurn, onMoving, onHelp, onReadAlong };
    Object.assign(this, { ask, panel, badge, isPanelVisible }, told);
    this.status = null;
    this.timer = null;
    this.turn = 0;
  }

  async refresh() {
    const turn = ++this.turn;
    window.clearTimeout(this.timer);
    let trouble = '';
    try {
      const fresh = await this.ask('status');
      if (turn !== this.turn) {
        return;
      }
      this.compare(this.status, fresh);
      this.status = fresh;
    } catch (failure) {
      trouble = failure.message;
    }
    if (turn === this.turn) {
      this.panel.render(this.status, trouble, Date.now());
      this.badge.render(this.status);
      this.timer = window.setTimeout(() => this.refresh(), this.pause());
    }
  }

  pause() {
    // Once a GPU is kept, a click on the site leaves ten seconds to save.
    if (this.status !== null && this.status.gpu && this.status.gpu.state !== 'waiting') {
      return FAST_MS;
    }
    if (helpState(this.status) !== 'none') {
      return FAST_MS;
    }
    const isRunning = this.status !== null && this.status.submissions.some(words.isOpen);
    return isRunning && !document.hidden && this.isPanelVisible() ? FAST_MS : SLOW_MS;
  }

  compare(before, after) {
    if (after.warning && (!before || before.warning !== after.warning)) {
      this.onWarning(after);
    }
    const [was, is] = [before, after].map(status => (status && status.gpu ? status.gpu.state : ''));
    if (was !== is && is === 'turn') {
      this.onTurn(after);
    }
    if (was !== is && is === 'moving') {
      this.onMoving(after);
    }
    const helped = helpState(after);
    if (before && helpState(before) !== helped) {
      this.onHelp(after);
    }
    if (helped === 'reading' || helped === 'hands_asked') {
      this.onReadAlong(after);
    }
    const wasOpen = new Set(before ? before.submissions.filter(words.isOpen).map(one => one.number) : []);
    for (const one of after.submissions) {
      if (wasOpen.has(one.number) && !words.isOpen(one)) {
        this.onEnded(one, after.metric);
      }
    }
  }
}

function createSubmit(app, lab, { ask, tracker, parts }) {
  let isBusy = false;
  return async function submit() {
    if (isBusy) {
      return;
    }
    isBusy = true;
    parts.panel.setBusy(true);
    app.commands.notifyCommandChanged('practicum:submit');
    const id = lab.Notification.emit('Handing in…', 'in-progress', { autoClose: false });
    try {
      const notebook = currentNotebook(tracker);
      await saveOpenFiles(app);
      const submission = await ask('submit', { notebook });
      const message = `Handed in as #${submission.number}. ${submission.notes.join(' ')}`.trim();
      const actions = [{ label: 'Open its page', callback: () => open(submission.url) }];
      lab.Notification.update({ id, message, type: 'success', autoClose: 8000, actions });
      parts.panel.announce(message);
      app.shell.activateById(parts.widget.id);
    } catch (failure) {
      lab.Notification.dismiss(id);
      void explain(lab, failure);
    } finally {
      isBusy = false;
      parts.panel.setBusy(false);
      app.commands.notifyCommandChanged('practicum:submit');
      void parts.follower.refresh();
    }
  };
}

/* Saves what is open, takes the GPU, and goes to the page that leads back here once the notebook is there.
 *
 * This server may end for the move before its answer is here; that page knows what came of it.
 */
function createMove(app, lab, { ask, parts }) {
  const follow = () => {
    const { status } = parts.follower;
    return status && words.webAddress(`${status.site_url}/notebook/?follow=1`);
  };
  let isBusy = false;
  return async function move() {
    if (isBusy) {
      return;
    }
    isBusy = true;
    parts.panel.setMoving(true);
    try {
      await saveOpenFiles(app);
      const answer = await ask('move', {});
      const url = words.webAddress(answer.url);
      if (url) {
        window.location.assign(url);
      }
    } catch (failure) {
      const url = failure instanceof Refusal && !failure.said.code ? follow() : null;
      if (url) {
        window.location.assign(url);
        return;
      }
      isBusy = false;
      lab.Notification.error(`Not moved: ${failure.message}`, { autoClose: false });
    } finally {
      parts.panel.setMoving(isBusy);
      void parts.follower.refresh();
    }
  };
}

/* Ends the help; whoever is in is out when the answer is here. */
function createEndHelp(lab, { ask, parts }) {
  return async function endHelp() {
    parts.panel.setEnding(true);
    try {
      await ask('help/end', {});
    } catch (failure) {
      lab.Notification.error(`Not ended: ${failure.message}`, { autoClose: false });
    } finally {
      parts.panel.setEnding(false);
      void parts.follower.refresh();
    }
  };
}

/* Tells the person of each step of the help, once. */
function createTellHelp(lab, { parts }) {
  let last = null;
  return function tellHelp({ help }) {
    if (last !== null) {
      lab.Notification.dismiss(last);
    }
    const text = help.state === 'none' ? 'The help has ended.' : `${words.helpHeadline(help)}.`;
    const answer = { label: 'Answer', displayType: 'accent', callback: () => open(help.url) };
    const actions = help.state === 'hands_asked' ? [answer] : [];
    const type = help.state === 'hands' || help.state === 'hands_asked' ? 'warning' : 'info';
    last = lab.Notification.emit(text, type, { autoClose: help.state === 'none' ? 8000 : false, actions });
    parts.panel.announce(text);
  };
}

function createParts(lab, { app, ask, icons, submit, move, endHelp }) {
  const widget = new lab.Widget();
  widget.id = 'practicum-panel';
  widget.addClass('pr-panel');
  widget.title.icon = icons.cap;
  widget.title.caption = 'Practicum';
  widget.node.setAttribute('aria-label', 'Practicum');
  widget.node.setAttribute('role', 'region');
  const inner = document.createElement('div');
  inner.className = 'pr-scroll';
  widget.node.append(inner);
  const parts = { widget };
  parts.panel = createPanel(inner, {
    submitIcon: icons.tray.element({ tag: 'span' }),
    onSubmit: () => submit(),
    onMove: () => move(),
    onEndHelp: () => endHelp(),
    onRefresh: () => parts.follower.refresh()
  });
  parts.bar = new lab.Widget();
  parts.bar.id = 'practicum-help';
  parts.badge = createBadge(parts.bar.node, { onPress: () => app.shell.activateById(widget.id) });
  const save = () =>
    saveOpenFiles(app).catch(failure => lab.Notification.error(`Not saved: ${failure.message}`));
  parts.follower = new Follower({
    ask,
    panel: parts.panel,
    badge: parts.badge,
    isPanelVisible: () => widget.isVisible,
    onWarning: status => {
      lab.Notification.warning(status.warning, { autoClose: false });
      void save();
    },
    onTurn: status => {
      const actions = [{ label: 'Move to the GPU', displayType: 'accent', callback: () => move() }];
      lab.Notification.info(`${status.gpu.headline}.`, { autoClose: false, actions });
      parts.panel.announce(status.gpu.headline);
      void save();
    },
    onMoving: status => {
      parts.panel.announce(status.gpu.headline);
      void save();
    },
    onHelp: createTellHelp(lab, { parts }),
    // A file that can't be saved now is saved, or its fault told, when its person saves it.
    onReadAlong: () => void saveOpenFiles(app).catch(() => {}),
    onEnded: (submission, metric) => {
      const text = words.outcome(submission, metric);
      const actions = [{ label: 'Open its page', callback: () => open(submission.url) }];
      lab.Notification.emit(text, submission.state === 'scored' ? 'success' : 'error', { autoClose: 15000, actions });
      parts.panel.announce(text);
    }
  });
  return parts;
}

function addCommands(app, { icons, parts, submit }) {
  app.commands.addCommand('practicum:submit', {
    label: 'Practicum: Submit',
    caption: 'Save, then hand in predict.py, artifact/, report.md and this notebook',
    icon: icons.tray,
    execute: () => submit()
  });
  app.commands.addCommand('practicum:status', {
    label: 'Practicum: Status',
    caption: 'Project, scores, submissions and session',
    icon: icons.cap,
    execute: () => {
      app.shell.activateById(parts.widget.id);
      parts.panel.focus();
      return parts.follower.refresh();
    }
  });
}

/* The panel is open the first time a person comes; afterwards as they left it. A visit that is over before JupyterLab has kept
   its layout was none: the next would find the panel closed by nobody. */
async function showOnce(app, state, widget) {
  await app.restored;
  if (!(await state.fetch(SHOWN_KEY))) {
    app.shell.activateById(widget.id);
    setTimeout(() => state.save(SHOWN_KEY, true), SHOWN_AFTER_MS);
  }
}

export function createPlugin(lab) {
  return {
    id: 'practicum:plugin',
    description: 'Submit from JupyterLab, and see where you stand.',
    autoStart: true,
    requires: [lab.INotebookTracker, lab.ICommandPalette, lab.IStateDB],
    optional: [lab.ILayoutRestorer, lab.ILauncher],
    activate: (app, tracker, palette, state, restorer, launcher) => {
      const icons = {
        cap: new lab.LabIcon({ name: 'practicum:cap', svgstr: CAP }),
        tray: new lab.LabIcon({ name: 'practicum:tray', svgstr: TRAY })
      };
      const ask = createApi(lab);
      const submit = () => handIn();
      const move = () => moveToGpu();
      const endHelp = () => endNow();
      const parts = createParts(lab, { app, ask, icons, submit, move, endHelp });
      const handIn = createSubmit(app, lab, { ask, tracker, parts });
      const moveToGpu = createMove(app, lab, { ask, parts });
      const endNow = createEndHelp(lab, { ask, parts });
      addCommands(app, { icons, parts, submit });
      app.shell.add(parts.widget, 'right', { rank: 100 });
      app.shell.add(parts.bar, 'top', { rank: 900 });
      if (restorer) {
        restorer.add(parts.widget, 'practicum-panel');
      }
      for (const command of ['practicum:submit', 'practicum:status']) {
        palette.addItem({ command, category: 'Practicum' });
      }
      if (launcher) {
        launcher.add({ command: 'practicum:status', category: 'Other', rank: 0 });
      }
      document.addEventListener('visibilitychange', () => document.hidden || parts.follower.refresh());
      void showOnce(app, state, parts.widget);
      void parts.follower.refresh();
    }
  };
}
