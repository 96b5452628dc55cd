// SPDX-License-Identifier: Apache-2.0
// The graph of the times between frames.

const SHOWN = 160;
const FRAME = 1000 / 60;
const TOP = 60; // the scale, in milliseconds; longer frames reach the edge

/** Draws for ever; gives each frame's numbers to `tell`. */
export function drawFrames(canvas, tell) {
  const context = canvas.getContext("2d");
  const times = [];
  let last;
  const draw = (now) => {
    requestAnimationFrame(draw);
    if (last !== undefined && !document.hidden) times.push(now - last);
    last = now;
    if (times.length > SHOWN) times.shift();
    if (times.length === 0) return;
    paint(context, canvas, times);
    tell(times.at(-1), Math.max(...times));
  };
  requestAnimationFrame(draw);
  document.addEventListener("visibilitychange", () => { last = undefined; });
}

function paint(context, { width, height }, times) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name);
  const y = (time) => height * (1 - Math.min(time / TOP, 1));
  context.clearRect(0, 0, width, height);
  const step = width / SHOWN;
  times.forEach((time, i) => {
    context.fillStyle = colour(time >= TOP ? "--bad" : time > 1.5 * FRAME ? "--over" : "--accent");
    context.fillRect((SHOWN - times.length + i) * step, y(time), step - 1, height - y(time));
  });
  context.strokeStyle = context.fillStyle = colour("--quiet");
  context.font = "22px system-ui, sans-serif";
  context.lineWidth = 1;
  context.setLineDash([6, 6]);
  context.beginPath();
  context.moveTo(0, y(FRAME));
  context.lineTo(width, y(FRAME));
  context.stroke();
  context.setLineDash([]);
  context.strokeStyle = colour("--ground"); // the text stays readable on bars
  context.lineWidth = 8;
  context.lineJoin = "round";
  context.strokeText("16.7 ms", 8, y(FRAME) - 10);
  context.fillText("16.7 ms", 8, y(FRAME) - 10);
}
