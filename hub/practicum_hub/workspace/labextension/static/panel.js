/* The panel's elements. render(status) redraws what changed and keeps the keyboard where it was. */

import * as words from './wording.js';

function element(tag, { className, text, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  if (className) {
    node.className = className;
  }
  if (text !== undefined) {
    node.textContent = text;
  }
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

function link(url, text, attributes = {}) {
  const address = words.webAddress(url);
  if (!address) {
    return element('span', { text, ...attributes });
  }
  return element('a', { text, href: address, target: '_blank', rel: 'noopener', ...attributes });
}

function figures(status) {
  const { metric, best, baseline } = status;
  const gain = best === null || baseline === null ? null : best - baseline;
  const tone = gain === null ? '' : ` pr-${words.verdict(gain, metric, status.best_verdict)}`;
  const cell = (name, value, className = '') =>
    element(
      'div',
      { className: 'pr-figure' },
      element('dt', { text: name }),
      element('dd', { className, text: value })
    );
  return element(
    'section',
    { 'aria-label': 'Your score' },
    element('h3', { className: 'pr-metric', text: `${metric.name}, ${metric.goal.startsWith('min') ? 'lower' : 'higher'} is better` }),
    element(
      'dl',
      { className: 'pr-figures' },
      cell('Your best', words.figure(best, metric), 'pr-best'),
      cell('Baseline', words.figure(baseline, metric)),
      cell('Difference', words.difference(gain, metric), tone.trim())
    )
  );
}

function facts(status, now) {
  const rows = [];
  if (status.milestone) {
    const when = status.milestone.due_on ? words.due(status.milestone.due_on, now) : '';
    rows.push(['Next', status.milestone.title, when]);
  }
  if (status.days_left !== null && status.days_left !== undefined) {
    rows.push(['Left', words.days(status.days_left), '']);
  }
  if (status.session && status.session.until) {
    const left = words.span(Date.parse(status.session.until) - now);
    rows.push(['Session', `ends ${words.clock(status.session.until, now)}`, `in ${left}`]);
  }
  if (status.session && status.session.slot) {
    rows.push(['Runs on', status.session.slot, '']);
  }
  const list = element('dl', { className: 'pr-facts' });
  for (const [name, value, note] of rows) {
    list.append(
      element('dt', { text: name }),
      element('dd', { text: value }, note ? element('span', { className: 'pr-note', text: note }) : null)
    );
  }
  return list;
}

/* The GPU that a notebook on a CPU slot waits for: the site's own sentences, and a button once one is kept. */
function gpu(status, onMove, isMoving) {
  const place = status.gpu;
  if (!place) {
    return null;
  }
  const sentences = [place.estimate, place.why].filter(Boolean);
  const move = place.state === 'turn'
    ? element('button', {
        className: 'jp-mod-styled jp-mod-accept pr-move',
        type: 'button',
        text: isMoving ? 'Moving…' : 'Move to the GPU',
        'data-key': 'move'
      })
    : null;
  if (move) {
    move.disabled = isMoving;
    move.addEventListener('click', onMove);
  }
  const help = {
    turn: 'Saves your open files, stops what runs here, and starts your notebook on the GPU with the same files.',
    moving: 'Your open files are saved; your notebook stops here and starts on the GPU.'
  }[place.state];
  return element(
    'section',
    { 'aria-label': 'Your place in line for a GPU', className: `pr-gpu pr-gpu-${place.state}` },
    element('h3', { text: 'GPU' }),
    element('p', { className: 'pr-headline', text: place.headline }),
    ...sentences.map(text => element('p', { className: 'pr-note', text })),
    move,
    help ? element('p', { className: 'pr-note', text: help }) : null
  );
}

/* Who helps in this notebook, and how far they may go. Consent is given on the site, where the person is signed in. */
function help(status, onEndHelp, isEnding, now) {
  const told = status.help;
  const ask = told.state === 'none';
  const href = words.webAddress(told.is_guest ? told.helper_url : told.url);
  const label = words.helpLink(told);
  const leads = href && label
    ? element('a', {
        className: `jp-mod-styled pr-help-link${told.state === 'hands_asked' ? ' jp-mod-accept' : ''}`,
        text: label,
        href,
        target: '_blank',
        rel: 'noopener',
        'data-key': 'help'
      })
    : null;
  const end = ask || told.is_guest
    ? null
    : element('button', {
        className: 'jp-mod-styled pr-end',
        type: 'button',
        text: told.state === 'asked' ? 'Take it back' : 'End the help',
        'data-key': 'end-help'
      });
  if (end) {
    end.disabled = isEnding;
    end.addEventListener('click', onEndHelp);
  }
  return element(
    'section',
    { 'aria-label': 'Help', className: `pr-help pr-help-${told.state}` },
    element('h3', { text: 'Help' }),
    ask ? null : element('p', { className: 'pr-headline', text: words.helpHeadline(told) }),
    element('p', { className: 'pr-note', text: words.helpNote(told, now) }),
    leads,
    end
  );
}

function submissionRow(submission, metric, now) {
  const tone = words.isOpen(submission) ? 'busy' : 'bad';
  const scored = submission.score !== null && submission.score !== undefined;
  const compared = submission.difference !== null && submission.difference !== undefined;
  return element(
    'li',
    { className: 'pr-submission' },
    element(
      'div',
      { className: 'pr-line' },
      link(submission.url, `#${submission.number}`, {
        className: 'pr-number',
        'data-key': `submission-${submission.number}`,
        'aria-label': `${words.outcome(submission, metric)}. Open its page`
      }),
      // A score says by itself that the run is over.
      scored ? null : element('span', { className: `pr-state pr-state-${tone}`, text: words.stateWords(submission) }),
      scored ? element('span', { className: 'pr-score', text: words.figure(submission.score, metric) }) : null,
      compared
        ? element('span', {
            className: `pr-difference pr-${words.verdict(submission.difference, metric, submission.verdict?.outcome)}`,
            text: words.difference(submission.difference, metric)
          })
        : null,
      submission.received_at
        ? element('time', {
            className: 'pr-note',
            text: words.ago(submission.received_at, now),
            datetime: submission.received_at
          })
        : null
    ),
    submission.reason && !scored ? element('p', { className: 'pr-reason', text: submission.reason }) : null,
    ...words.waitingSentences(submission).map(text => element('p', { className: 'pr-note', text }))
  );
}

function submissions(status, now) {
  const shown = status.submissions.slice(0, 8);
  const body = shown.length
    ? element(
        'ol',
        { className: 'pr-submissions', reversed: '' },
        ...shown.map(one => submissionRow(one, status.metric, now))
      )
    : element('p', { className: 'pr-note', text: 'Nothing handed in yet. Submit early: the first score teaches most.' });
  return element('section', { 'aria-label': 'Your submissions' }, element('h3', { text: 'Submissions' }), body);
}

function warnings(status, trouble, now) {
  const notes = [];
  if (trouble) {
    notes.push(element('p', { className: 'pr-alert', role: 'alert', text: trouble }));
  }
  if (status && status.warning) {
    const stop = status.stop_at ? ` It stops at ${words.clock(status.stop_at, now)}.` : '';
    notes.push(element('p', { className: 'pr-alert', role: 'alert', text: `${status.warning}${stop}` }));
  }
  return notes;
}

/* Has node hold these parts. What is there and the same stays: a button that is being pressed must not be exchanged. */
function put(node, parts) {
  const there = [...node.children];
  if (there.length !== parts.length) {
    node.replaceChildren(...parts);
    return;
  }
  parts.forEach((part, index) => {
    if (!part.isEqualNode(there[index])) {
      there[index].replaceWith(part);
    }
  });
}

/* Says in JupyterLab's top bar who is in, whatever else is open; a press leads to the panel. */
export function createBadge(node, { onPress }) {
  const button = element('button', { className: 'pr-badge', type: 'button' });
  button.addEventListener('click', onPress);
  button.hidden = true;
  node.append(button);
  return {
    render(status) {
      const told = status && status.help ? status.help : { state: 'none' };
      const text = told.state === 'none' ? '' : words.helpHeadline(told);
      button.hidden = !text;
      if (button.textContent !== text) {
        button.textContent = text;
      }
      button.className = `pr-badge pr-badge-${told.state}`;
    }
  };
}

/* Builds the panel into node; returns { render, setBusy }. */
export function createPanel(node, { submitIcon, onSubmit, onRefresh, onMove, onEndHelp }) {
  const title = element('h2', { className: 'pr-title', text: 'Practicum' });
  const alerts = element('div', {});
  const submit = element('button', { className: 'jp-mod-styled jp-mod-accept pr-submit', type: 'button' });
  submit.append(submitIcon, element('span', { text: 'Submit' }));
  submit.addEventListener('click', onSubmit);
  const hint = element('p', {
    className: 'pr-note',
    text: 'Saves your open files, then hands in predict.py, artifact/, report.md and the notebook in front.'
  });
  const content = element('div', { className: 'pr-content' });
  const announced = element('div', { className: 'pr-spoken', role: 'status', 'aria-live': 'polite' });
  const updated = element('span', { className: 'pr-note', text: 'Asking the site…' });
  const refresh = element('button', { className: 'pr-refresh', type: 'button', text: 'Refresh' });
  refresh.addEventListener('click', onRefresh);
  const home = element('span', {});
  const foot = element('footer', { className: 'pr-foot' }, updated, refresh, home);
  node.append(title, alerts, submit, hint, content, announced, foot);

  let drawnAlerts = '';
  let isMoving = false;
  let isEnding = false;
  function drawAlerts(status, trouble, now) {
    const fresh = warnings(status, trouble, now);
    const drawn = fresh.map(note => note.textContent).join('\n');
    if (drawn !== drawnAlerts) {
      alerts.replaceChildren(...fresh);
      drawnAlerts = drawn;
    }
  }

  function drawContent(status, now) {
    const focused = document.activeElement && document.activeElement.getAttribute('data-key');
    const helping = status.help ? help(status, onEndHelp, isEnding, now) : null;
    const isHelped = helping && status.help.state !== 'none';
    const parts = [
      isHelped ? helping : null,
      gpu(status, onMove, isMoving),
      figures(status),
      facts(status, now),
      submissions(status, now),
      isHelped ? null : helping
    ];
    put(content, parts.filter(Boolean));
    if (focused) {
      const again = content.querySelector(`[data-key="${focused}"]`);
      if (again) {
        again.focus();
      }
    }
  }

  return {
    render(status, trouble, now) {
      drawAlerts(status, trouble, now);
      if (!status) {
        updated.textContent = 'Not connected';
        return;
      }
      title.textContent = status.project.title;
      submit.hidden = hint.hidden = Boolean(status.help && status.help.is_guest);
      drawContent(status, now);
      if (!home.firstChild && status.site_url) {
        home.append(link(`${status.site_url}/`, 'Open the site'));
      }
      if (!trouble) {
        const time = new Date(now).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
        updated.textContent = `Updated ${time}`;
      }
    },
    announce(text) {
      announced.textContent = text;
    },
    setBusy(isBusy) {
      submit.disabled = isBusy;
      submit.querySelector('span:last-child').textContent = isBusy ? 'Handing in…' : 'Submit';
    },
    setMoving(isNow) {
      isMoving = isNow;
    },
    setEnding(isNow) {
      isEnding = isNow;
    },
    focus() {
      submit.focus();
    }
  };
}
