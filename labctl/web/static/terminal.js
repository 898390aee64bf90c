// A terminal on a machine, by xterm.js. The server keeps the shell: after a reload or a lost network, the last screen is
// shown again.
/* global Terminal, FitAddon */
import { $, element, setText } from "./live.js";

allowStylesUnderThePolicy();

const RETRY = [500, 1000, 2000, 5000];
const ENDED = 4001;

export class MachineTerminal {
  constructor(place, seat, machine) {
    this.address = `${location.origin.replace("http", "ws")}/api/seats/${seat}/terminals/${machine}`;
    this.terminal = new Terminal({ cursorBlink: true, scrollback: 5000, screenReaderMode: true, fontSize: 14,
      fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace' });
    this.fit = new FitAddon.FitAddon();
    this.terminal.loadAddon(this.fit);
    this.place = place;
    this.state = element("p", "", "terminal-state");
    this.state.setAttribute("role", "status");
    const screen = element("div", "", "screen");
    place.append(screen, this.state);
    this.terminal.open(screen);
    this.terminal.textarea.setAttribute("aria-label", `Terminal of ${machine}. F6 leaves it.`);
    // Tab belongs to the shell, so another key leaves the terminal (WCAG 2.1.2).
    this.terminal.attachCustomKeyEventHandler((event) => {
      if (event.key !== "F6") return true;
      if (event.type === "keydown") $(place.getAttribute("aria-labelledby")).focus();
      return false;
    });
    this.terminal.onData((text) => this.send(new TextEncoder().encode(text)));
    this.terminal.onBinary((text) => this.send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    this.terminal.onResize(() => this.sendSize());
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(screen);
    this.onTheme = () => this.useTheme();
    addEventListener("themechange", this.onTheme);
    this.useTheme();
    this.failures = 0;
    this.connect();
  }

  connect() {
    if (this.closed) return;
    this.say("connecting …");
    this.socket = new WebSocket(this.address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      // The last screen follows.
      this.terminal.reset();
      this.say("waiting for the machine …");
      this.sendSize();
    };
    this.socket.onmessage = (event) => {
      this.failures = 0;
      this.say("");
      this.terminal.write(new Uint8Array(event.data));
    };
    this.socket.onclose = (event) => {
      if (this.closed) return;
      this.say(event.code === ENDED ? "the shell has ended; press Enter for a new one" : "not connected; trying again …");
      this.waiting = event.code === ENDED;
      if (!this.waiting) setTimeout(() => this.connect(), RETRY[Math.min(this.failures++, RETRY.length - 1)]);
    };
  }

  send(data) {
    if (this.waiting && data[0] === 13) {
      this.waiting = false;
      this.connect();
    }
    if (this.socket.readyState === WebSocket.OPEN) {
      for (let start = 0; start < data.length; start += 8192) this.socket.send(data.slice(start, start + 8192));
    }
  }

  sendSize() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ columns: this.terminal.cols, rows: this.terminal.rows }));
  }

  resize() { if (this.place.offsetParent) this.fit.fit(); }

  focus() { this.resize(); this.terminal.focus(); }

  say(text) { setText(this.state, text); }

  useTheme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.terminal.options.minimumContrastRatio = 4.5;
    this.terminal.options.theme = { background: color("soft"), foreground: color("text"), cursor: color("focus"),
      cursorAccent: color("soft"), selectionBackground: color("flash") };
  }

  close() {
    this.closed = true;
    this.sizes.disconnect();
    removeEventListener("themechange", this.onTheme);
    this.socket.close();
    this.terminal.dispose();
    this.place.replaceChildren();
  }
}

function allowStylesUnderThePolicy() {
  // xterm.js writes <style> elements and style attributes, which the page's Content-Security-Policy forbids. What it
  // writes goes into constructed style sheets and the CSSOM instead, which are this script's own.
  customElements.define("style-sheet", class extends HTMLElement {
    sheet = new CSSStyleSheet();
    get textContent() { return ""; }
    set textContent(text) { this.sheet.replaceSync(text); }
    connectedCallback() { document.adoptedStyleSheets.push(this.sheet); }
    disconnectedCallback() {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
    }
  });
  const create = document.createElement.bind(document);
  document.createElement = (name, ...more) => create(name.toLowerCase() === "style" ? "style-sheet" : name, ...more);
  const setAttribute = HTMLElement.prototype.setAttribute;
  HTMLElement.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}
