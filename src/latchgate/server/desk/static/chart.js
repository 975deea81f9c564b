"use strict";

// Draws the charts of a page (templates/components/charts.html) with the vendored uPlot. A range of time is chosen by
// dragging, or by Shift with the arrows and Enter.
(() => {
  const height = 168;
  const drawn = new Map();

  function drawAll() {
    for (const [place, chart] of drawn) if (!place.isConnected) forget(place, chart);
    for (const place of document.querySelectorAll("[data-chart]")) if (!drawn.has(place)) draw(place);
  }

  function forget(place, chart) {
    sizes.unobserve(place);
    chart.plot.destroy();
    drawn.delete(place);
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) drawn.get(target)?.plot.setSize({ width: contentRect.width, height });
  });

  function draw(place) {
    const { start, step, series, outcomes } = JSON.parse(place.dataset.chart);
    const times = series[0].map((_, number) => start + number * step);
    const chart = { place, start, step, series, outcomes, count: times.length, cursor: null, anchor: null };
    chart.plot = new uPlot(options(place, chart), [times, ...stacked(series)], place);
    drawn.set(place, chart);
    sizes.observe(place);
    place.addEventListener("keydown", (event) => onKey(chart, event));
    place.addEventListener("blur", () => show(chart, null));
  }

  // What is drawn first reaches highest, and the next is drawn over it: the last one is what succeeded.
  function stacked(series) {
    const sums = series.map((_, place) => series[0].map((_, bar) => series.slice(0, place + 1).reduce((sum, one) => sum + one[bar], 0)));
    return sums.reverse();
  }

  function options(place, chart) {
    const bars = uPlot.paths.bars({ size: [0.9, Infinity], align: 1 });
    const axis = { stroke: () => colour(place, "--faint"), font: "12px system-ui, sans-serif" };
    const grid = { stroke: () => colour(place, "--line"), width: 1 };
    return {
      width: place.clientWidth,
      height,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      legend: { show: false },
      padding: [8, 24, 0, 0],
      scales: {
        x: { range: [chart.start, chart.start + chart.step * chart.count] },
        y: { range: (_, __, most) => [0, Math.max(1, most)] },
      },
      axes: [
        { ...axis, grid: { show: false }, ticks: grid, values: timeWords, space: 72, size: 28, gap: 4 },
        { ...axis, grid, ticks: { show: false }, size: 52, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1e8], values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")) },
      ],
      series: [{}, ...[...chart.outcomes].reverse().map(([name]) => ({ paths: bars, points: { show: false }, width: 0, fill: () => colour(place, `--chart-${name}`) }))],
      cursor: { y: false, points: { show: false }, drag: { x: Boolean(place.dataset.range), y: false, setScale: false } },
      hooks: {
        setCursor: [(plot) => pointed(chart, plot)],
        setSelect: [(plot) => selected(chart, plot)],
      },
    };
  }

  function colour(place, property) {
    return getComputedStyle(place).getPropertyValue(property);
  }

  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

  // The hour, and the day where one begins; days alone where bars are that long.
  function timeWords(_, ticks, __, ___, gap) {
    return ticks.map((at, place) => {
      const date = new Date(at * 1000);
      if (gap >= 86400) return day.format(date);
      const first = place === 0 || Math.floor(at / 86400) !== Math.floor(ticks[place - 1] / 86400);
      return first && place > 0 ? day.format(date) : clock.format(date);
    });
  }

  // --- What is at a bar, or at several, in words.

  function describe(chart, first, last) {
    const from = new Date((chart.start + first * chart.step) * 1000);
    const until = new Date((chart.start + (last + 1) * chart.step) * 1000);
    const sum = (series) => series.slice(first, last + 1).reduce((one, other) => one + other, 0);
    const counts = chart.outcomes.map(([, words], place) => `${sum(chart.series[place]).toLocaleString("en")} ${words.toLowerCase()}`);
    return `${timesOf(from, until)} UTC: ${counts.join(", ")}`;
  }

  function timesOf(from, until) {
    const days = [day.format(from), day.format(until)];
    const hours = [clock.format(from), clock.format(until)];
    return days[0] === days[1] ? `${days[0]}, ${hours[0]}–${hours[1]}` : `${days[0]}, ${hours[0]} – ${days[1]}, ${hours[1]}`;
  }

  function show(chart, bar) {
    say(chart, bar === null ? "" : describe(chart, bar, bar));
  }

  function say(chart, words) {
    chart.place.closest(".chart").querySelector(".at").textContent = words;
  }

  function pointed(chart, plot) {
    if (document.activeElement === chart.place && plot.cursor.event?.type !== "mousemove") return;
    const { left } = plot.cursor;
    show(chart, left < 0 ? null : barAt(chart, plot.posToVal(left, "x")));
  }

  function barAt(chart, time) {
    return Math.min(chart.count - 1, Math.max(0, Math.floor((time - chart.start) / chart.step)));
  }

  // --- Choosing a range: whole bars.

  function selected(chart, plot) {
    const { left, width } = plot.select;
    if (!width || chart.anchor !== null) return;
    choose(chart, barAt(chart, plot.posToVal(left, "x")), barAt(chart, plot.posToVal(left + width - 1, "x")));
  }

  function choose(chart, first, last) {
    if (!chart.place.dataset.range) return;
    const address = new URL(chart.place.dataset.range, location.href);
    const text = (bar) => new Date((chart.start + bar * chart.step) * 1000).toISOString().slice(0, 19);
    address.searchParams.set("from", text(Math.min(first, last)));
    address.searchParams.set("to", text(Math.max(first, last) + 1));
    // A link, so that the page goes on as it does by links.
    const link = document.createElement("a");
    link.href = address.pathname + address.search;
    chart.place.closest(".chart").append(link);
    window.htmx?.process(link);
    link.click();
  }

  // --- By the keyboard: the arrows point at bars, with Shift they choose a range, Enter goes there.

  const steps = { ArrowLeft: -1, ArrowRight: 1 };

  function onKey(chart, event) {
    const last = chart.count - 1;
    const ends = { Home: 0, End: last };
    if (event.key in steps || event.key in ends) {
      const from = chart.cursor ?? (event.key === "ArrowRight" ? -1 : chart.count);
      const to = ends[event.key] ?? Math.min(last, Math.max(0, from + steps[event.key]));
      if (event.shiftKey && chart.place.dataset.range) chart.anchor ??= chart.cursor ?? to;
      else chart.anchor = null;
      point(chart, to);
    } else if (event.key === "Enter" && chart.cursor !== null) {
      choose(chart, chart.anchor ?? chart.cursor, chart.cursor);
    } else if (event.key === "Escape") {
      chart.anchor = chart.cursor = null;
      chart.plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      show(chart, null);
    } else {
      return;
    }
    event.preventDefault();
  }

  function point(chart, bar) {
    chart.cursor = bar;
    const [first, last] = [Math.min(chart.anchor ?? bar, bar), Math.max(chart.anchor ?? bar, bar)];
    const left = chart.plot.valToPos(chart.start + first * chart.step, "x");
    const right = chart.plot.valToPos(chart.start + (last + 1) * chart.step, "x");
    chart.plot.setSelect({ left, width: right - left, top: 0, height: chart.plot.over.clientHeight }, false);
    say(chart, describe(chart, first, last) + (first === last ? "" : " (Enter: it alone)"));
  }

  // Colours are asked for at each drawing.
  for (const asked of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    matchMedia(asked).addEventListener("change", () => {
      for (const chart of drawn.values()) chart.plot.redraw(false, true);
    });
  }

  document.addEventListener("htmx:afterSettle", drawAll);
  drawAll();
})();
