// Draw one dashboard with Grafana's own component library, from data that a real Prometheus has answered.
import { createTheme, FieldType, getDisplayProcessor, ThemeContext, toDataFrame } from "@grafana/data";
import { BigValue, GlobalStyles, PanelChrome, TimeSeries } from "@grafana/ui";
import { createRoot } from "react-dom/client";
import "uplot/dist/uPlot.min.css";

import board from "./board.json";

const theme = createTheme({ colors: { mode: "dark" } });
const [CELL, GAP, MARGIN] = [30, 8, 16];
const column = (board.width - 2 * MARGIN + GAP) / 24;
const from = { valueOf: () => board.from, isValid: () => true };
const to = { valueOf: () => board.to, isValid: () => true };
const range = { from, to, raw: { from, to } };

function frames(panel) {
  return panel.series.map((series, index) => {
    const frame = toDataFrame({
      fields: [
        { name: "Time", type: FieldType.time, values: series.times },
        {
          name: series.name,
          type: FieldType.number,
          values: series.values,
          config: { ...panel.defaults, displayName: series.name },
        },
      ],
    });
    for (const field of frame.fields) {
      field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
      field.state = { seriesIndex: index, displayName: field.name };
    }
    return frame;
  });
}

function Numbers({ panel, width, height }) {
  const drawn = frames(panel);
  const each = width / drawn.length;
  return (
    <div style={{ display: "flex" }}>
      {drawn.map((frame, index) => {
        const [x, y] = frame.fields;
        const last = y.values.findLast((value) => value !== null);
        const shown = { ...y.display(last), title: drawn.length > 1 ? y.name : undefined };
        const sparkline = { x, y: { ...y, config: { ...y.config, custom: {} } } };
        return (
          <BigValue key={index} value={shown} sparkline={sparkline} colorMode="value" graphMode="area" theme={theme} width={each} height={height} />
        );
      })}
    </div>
  );
}

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const width = w * column - GAP;
  const height = h * (CELL + GAP) - GAP;
  const box = { position: "absolute", left: MARGIN + x * column, top: y * (CELL + GAP), width, height };
  if (panel.type === "row") {
    return <div style={{ ...box, fontSize: 18, fontWeight: 500, lineHeight: "30px" }}>{panel.title}</div>;
  }
  const legend = { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] };
  return (
    <div style={box}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(innerWidth, innerHeight) =>
          panel.series.length === 0 ? (
            <div style={{ textAlign: "center", lineHeight: `${innerHeight}px` }}>No data</div>
          ) : panel.type === "stat" ? (
            <Numbers panel={panel} width={innerWidth} height={innerHeight} />
          ) : (
            <TimeSeries width={innerWidth} height={innerHeight} frames={frames(panel)} timeZone="utc" timeRange={range} legend={legend} options={{}} />
          )
        }
      </PanelChrome>
    </div>
  );
}

createRoot(document.getElementById("root")).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, minHeight: board.height, padding: MARGIN, boxSizing: "border-box" }}>
      <h1 style={{ fontSize: 24, height: 40, margin: 0 }}>{board.title}</h1>
      <div style={{ position: "relative", marginLeft: -MARGIN }}>
        {board.panels.map((panel, index) => (
          <Panel key={index} panel={panel} />
        ))}
      </div>
    </div>
  </ThemeContext.Provider>,
);
