/* The words of the panel: figures, times, states. Pure; the time comes in. */

const STATES = {
  received: 'received',
  queued: 'in line',
  running: 'running',
  scored: 'scored',
  invalid: 'not valid',
  failed: 'failed',
  cancelled: 'cancelled'
};

export function isOpen(submission) {
  return ['received', 'queued', 'running'].includes(submission.state);
}

export function stateWords(submission) {
  const words = STATES[submission.state] || submission.state;
  return submission.state === 'queued' && submission.place ? `${words}, place ${submission.place}` : words;
}

/* What the site says of a submission's place in line for a GPU. */
export function waitingSentences(submission) {
  return submission.state === 'queued' ? [submission.estimate, submission.why].filter(Boolean) : [];
}

export function figure(value, metric) {
  return value === null || value === undefined ? '–' : value.toFixed(metric.digits);
}

export function difference(value, metric) {
  if (value === null || value === undefined) {
    return '–';
  }
  const digits = Math.abs(value).toFixed(metric.digits);
  return `${value < 0 ? '−' : '+'}${digits}`;
}

/* 'better', 'worse' or 'equal': what the site's test said, or else the sign to the digits that are shown. */
export function verdict(value, metric, tested) {
  if (tested) {
    return { better: 'better', worse: 'worse' }[tested] || 'equal';
  }
  const shown = Number(value.toFixed(metric.digits));
  if (shown === 0) {
    return 'equal';
  }
  return shown < 0 === metric.goal.startsWith('min') ? 'better' : 'worse';
}

export function span(milliseconds) {
  const minutes = Math.floor(Math.max(0, milliseconds) / 60000);
  if (minutes < 1) {
    return 'less than a minute';
  }
  if (minutes < 60) {
    return `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  }
  return days(Math.floor(hours / 24));
}

export function days(number) {
  return `${number} ${number === 1 ? 'day' : 'days'}`;
}

export function ago(iso, now) {
  const minutes = Math.floor((now - Date.parse(iso)) / 60000);
  if (minutes < 1) {
    return 'just now';
  }
  if (minutes < 60) {
    return `${minutes} min ago`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ago` : `${days(Math.floor(hours / 24))} ago`;
}

/* due_on is a date without a time: read as local midnight, so that it is the same day everywhere. */
export function due(dueOn, now) {
  const [year, month, day] = dueOn.split('-').map(Number);
  const today = new Date(now);
  today.setHours(0, 0, 0, 0);
  const left = Math.round((new Date(year, month - 1, day) - today) / 86400000);
  if (left < 0) {
    return `${days(-left)} late`;
  }
  return ['due today', 'due tomorrow'][left] || `due in ${days(left)}`;
}

export function clock(iso, now) {
  const moment = new Date(iso);
  const time = moment.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (moment.toDateString() === new Date(now).toDateString()) {
    return time;
  }
  return `${moment.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short' })} ${time}`;
}

export function outcome(submission, metric) {
  const head = `Submission #${submission.number}: ${stateWords(submission)}`;
  if (submission.score !== null && submission.score !== undefined) {
    const compared =
      submission.difference === null || submission.difference === undefined
        ? ''
        : ` (${difference(submission.difference, metric)} against the baseline)`;
    return `${head}, ${metric.name} ${figure(submission.score, metric)}${compared}`;
  }
  return submission.reason ? `${head}. ${submission.reason}` : head;
}

/* What is so with the help in this notebook, for its person, or for the mentor who is in it. */
export function helpHeadline(told) {
  if (told.is_guest) {
    return 'You work in an intern’s notebook';
  }
  return {
    asked: `You asked ${told.helper_name} for help`,
    reading: `${told.helper_name} reads your notebooks`,
    hands_asked: `${told.helper_name} asks to work in your notebook`,
    hands: `${told.helper_name} may work in your notebook`
  }[told.state] || '';
}

export function helpNote(told, now) {
  const until = told.until ? `Until ${clock(told.until, now)}. ` : '';
  if (told.is_guest) {
    return `${until}What you run and save here is theirs. You are shown out when it ends.`;
  }
  return {
    none: 'Your mentor can read along, and work here if you say yes.',
    asked: `${told.topic}. They were told; nobody reads yet.`,
    reading: `${until}They see the notebooks you have open, as saved, and nothing else. Open files are saved for them.`,
    hands_asked: `${until}If you say yes they can do here what you can do. They go on reading if you say no.`,
    hands: `${until}They can do here what you can do. Let one of you type at a time.`
  }[told.state] || '';
}

export function helpLink(told) {
  if (told.is_guest) {
    return 'To your page of it';
  }
  return { none: 'Ask for help', hands_asked: 'Answer' }[told.state] || '';
}

/* A web address, or nothing: what the site sends is shown, never run. */
export function webAddress(url) {
  return /^https?:\/\//.test(url || '') ? url : null;
}
