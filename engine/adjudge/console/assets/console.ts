// What every page loads. Pages read without it: it only spares reloads, and draws what a table beside it says, too.
import "htmx.org";
import uPlot from "uplot";

// A plot is `<figure data-plot='{"x": [seconds, …], "series": [{"label": …, "values": […]}]}'>`.
interface Plot {
  x: number[];
  series: { label: string; values: (number | null)[] }[];
}

const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]]; // beside the colour: lines are told apart without it
const SERIES = ["--series-1", "--series-2", "--series-3", "--series-4"];

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawn(figure: HTMLElement): uPlot {
  const plot = JSON.parse(figure.dataset.plot ?? "") as Plot;
  const axis = { stroke: token("--quiet"), grid: { stroke: token("--line") } };
  return new uPlot(
    {
      width: figure.clientWidth,
      height: 180,
      axes: [axis, axis],
      series: [
        {},
        ...plot.series.map(({ label }, at) => ({
          label,
          stroke: token(SERIES[at % SERIES.length] ?? "--text"),
          dash: DASHES[at % DASHES.length],
          width: 2,
        })),
      ],
    },
    [plot.x, ...plot.series.map(({ values }) => values)],
    figure,
  );
}

function drawAll(): void {
  for (const figure of document.querySelectorAll<HTMLElement>("figure[data-plot]:not([data-drawn])")) {
    figure.dataset.drawn = "";
    let plot = drawn(figure);
    new ResizeObserver(() => plot.setSize({ width: figure.clientWidth, height: 180 })).observe(figure);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      plot.destroy();
      plot = drawn(figure);
    });
  }
}

drawAll();
document.addEventListener("htmx:after:swap", drawAll);
