// Numbers to places and words. Nothing here touches the page.

const NO_ANSWER = "?";

function niceStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((each) => raw <= each * power * 1.0001);
}

const TIME_STEPS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200,
];

function timeTicks(from, to, count) {
  const step = TIME_STEPS.find((each) => (to - from) / each <= count) ?? 86400;
  const ticks = [];
  for (let place = Math.ceil(from / step - 1e-9); place * step <= to + 1e-9; place += 1) ticks.push(place * step);
  return { ticks, step };
}

function clock(t, step) {
  if (step < 1) return `${t.toFixed(step < 0.1 ? 2 : 1)} s`;
  if (t < 60 || step < 1) return `${Math.round(t)} s`;
  const whole = Math.round(t);
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function count(number) {
  return number.toLocaleString("en-US", { maximumFractionDigits: number < 10 ? 1 : 0 });
}

function milliseconds(value) {
  if (value === null || value === undefined) return "—";
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))} s` : `${Number(value.toPrecision(3))} ms`;
}

// The finest level whose bins are not narrower than what an eye can tell apart.
function chooseLevel(levels, from, to, pixels) {
  const narrowest = ((to - from) / pixels) * 2.5;
  return levels.find((level) => level.width >= narrowest) ?? levels[levels.length - 1];
}

function binsIn(level, from, to) {
  return [
    Math.max(0, Math.floor(from / level.width)),
    Math.min(level.ok.length - 1, Math.floor(to / level.width)),
  ];
}

function largest(level, first, last, value) {
  let most = 0;
  for (let bin = first; bin <= last; bin += 1) most = Math.max(most, value(bin));
  return most;
}

// Powers of ten that hold every latency in view, at least one decade.
function decades(level, first, last) {
  let low = Infinity;
  let high = 0;
  for (let bin = first; bin <= last; bin += 1) {
    if (level.max[bin] === null) continue;
    low = Math.min(low, level.p50[bin]);
    high = Math.max(high, level.max[bin]);
  }
  if (high === 0) return [0, 2];
  const bottom = Math.floor(Math.log10(Math.max(low, 0.01)));
  return [bottom, Math.max(bottom + 1, Math.ceil(Math.log10(Math.max(high, 0.01)) - 1e-9))];
}

// Segments that differ in their slaves only are one where only the master is shown.
function byMaster(segments) {
  const joined = [];
  for (const [start, end, state] of segments) {
    const last = joined[joined.length - 1];
    const same = last && last[1] === start && last[2] !== NO_ANSWER && state !== NO_ANSWER;
    if (same && last[2].indexOf("m") === state.indexOf("m")) last[1] = end;
    else joined.push([start, end, state]);
  }
  return joined;
}

function stateAt(segments, t) {
  const found = segments.find(([start, end]) => start <= t && t < end);
  return found ? found[2] : null;
}
