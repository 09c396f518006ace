// How far behind each reader was: a row of the picture, drawn from its axis.

const LAG = 80;
const LAG_NAME = 15;

function lagBins(lag, from, to) {
  const most = Math.max(0, ...lag.curves.map((curve) => curve.messages.length - 1));
  return [Math.max(0, Math.floor(from / lag.width)), Math.min(most, Math.floor(to / lag.width))];
}

function lagAt(lag, curve, t) {
  return curve.messages[Math.min(Math.floor(t / lag.width), curve.messages.length - 1)] ?? null;
}

function drawLag(picture, lag) {
  if (!lag.curves.length) return;
  const [first, last] = lagBins(lag, picture.from, picture.to);
  let most = 1;
  for (const curve of lag.curves) {
    for (let bin = first; bin <= last; bin += 1) most = Math.max(most, curve.messages[bin] ?? 0);
  }
  const step = Math.max(1, niceStep(most, 3));
  const highest = Math.ceil(most / step) * step;
  picture.y += 12;
  picture.title("Lag of who reads: messages acknowledged and not read", "Lag: acknowledged, not read");
  const base = picture.y + LAG;
  const place = (value) => base - (value / highest) * LAG;
  for (let value = 0; value <= highest * 1.001; value += step) picture.tick(place(value), count(value));
  const plot = picture.add("g", { "clip-path": "url(#plot)" });
  lag.curves.forEach((curve, number) => {
    let line = "";
    let broken = true;
    for (let bin = first; bin <= last; bin += 1) {
      const value = curve.messages[bin];
      if (value !== null) {
        line += `${broken ? "M" : "L"}${picture.x(bin * lag.width).toFixed(1)} ${place(value).toFixed(1)}`;
        line += `H${picture.x((bin + 1) * lag.width).toFixed(1)}`;
      }
      broken = value === null;
    }
    picture.add("path", { d: line, class: `lag c${number % 5}` }, null, plot);
  });
  picture.y = base + 6;
  lag.curves.forEach((curve, number) => {
    picture.y += LAG_NAME;
    const x = picture.left;
    picture.add("line", { x1: x, x2: x + 14, y1: picture.y - 4, y2: picture.y - 4, class: `lag c${number % 5}` });
    picture.add("text", { x: x + 20, y: picture.y, class: "lane" }, clipped(curve.reader, picture.inner - 20));
  });
  if (lag.left_out) {
    picture.y += LAG_NAME;
    picture.add("text", { x: picture.left, y: picture.y }, `${lag.left_out} more were less far behind`);
  }
}
