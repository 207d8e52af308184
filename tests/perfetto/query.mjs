// node query.mjs UI TRACE SQL...: runs SQL on a timeline with the trace processor (WebAssembly) of the Perfetto UI in the
// folder UI, and prints the rows of each query as one line of JSON. Exits with 1 where the trace can't be read.

import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';

const [ui, trace, ...queries] = process.argv.slice(2);

// The engine is a web worker, and reads its module with a synchronous request.
class XMLHttpRequest {
  open(_method, url) {
    this.url = url;
  }
  send() {
    const bytes = fs.readFileSync(path.join(ui, path.basename(this.url)));
    this.response = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  }
}

const self = { location: { href: 'http://localhost/' } };
const world = vm.createContext({
  self, location: self.location, WorkerGlobalScope: Object, importScripts() {}, XMLHttpRequest,
  console: { log() {}, warn() {}, error: console.error },
  setTimeout, clearTimeout, performance, TextDecoder, TextEncoder, URL, crypto,
});
vm.runInContext(fs.readFileSync(path.join(ui, 'engine_bundle.js'), 'utf8'), world);
const Bytes = vm.runInContext('Uint8Array', world);
let replies = [];
const port = { postMessage: (data) => replies.push(Buffer.from(data)) };
self.onmessage({ data: port });
await new Promise((ready) => setTimeout(ready, 100));

// Protobuf, as far as Perfetto's trace_processor.proto needs it.

function varint(number) {
  const bytes = [];
  for (let rest = BigInt(number); ; rest >>= 7n) {
    if (rest < 128n) {
      return Buffer.from([...bytes, Number(rest)]);
    }
    bytes.push(Number(rest & 127n) | 128);
  }
}

const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const message = (field, bytes) => Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);

function* fields(bytes) {
  let at = 0;
  const next = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < bytes.length) {
    const tag = Number(next());
    const wire = tag & 7;
    if (wire === 0) {
      yield [tag >> 3, next()];
      continue;
    }
    const length = wire === 1 ? 8 : wire === 5 ? 4 : Number(next());
    yield [tag >> 3, bytes.subarray(at, at + length)];
    at += length;
  }
}

function* varints(bytes) {
  for (let at = 0; at < bytes.length;) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        break;
      }
    }
    yield BigInt.asIntN(64, value);
  }
}

let sequence = 0;

function call(method, args = Buffer.alloc(0)) {
  replies = [];
  port.onmessage({ data: new Bytes(message(1, Buffer.concat([number(1, sequence++), number(2, method), args]))) });
  return [...fields(Buffer.concat(replies))].map(([, reply]) => Object.fromEntries(fields(reply)));
}

function query(sql) {
  const columns = [];
  const cells = [];
  for (const reply of call(3, message(103, message(1, Buffer.from(sql))))) {
    for (const [field, value] of fields(reply[203])) {
      if (field === 1) {
        columns.push(value.toString());
      } else if (field === 2 && value.length) {
        throw new Error(value.toString());
      } else if (field === 3) {
        cells.push(...batch(value));
      }
    }
  }
  const rows = [];
  for (let at = 0; at < cells.length; at += columns.length) {
    rows.push(Object.fromEntries(columns.map((column, index) => [column, cells[at + index]])));
  }
  return rows;
}

function batch(bytes) {
  let kinds = [];
  let integers = [];
  const floats = [];
  let texts = [];
  for (const [field, value] of fields(bytes)) {
    if (field === 1) {
      kinds = [...value];
    } else if (field === 2) {
      integers = [...varints(value)];
    } else if (field === 3) {
      for (let at = 0; at < value.length; at += 8) {
        floats.push(value.readDoubleLE(at));
      }
    } else if (field === 5) {
      texts = value.toString().split('\0');
    }
  }
  return kinds.map((kind) => [undefined, null, integers, floats, texts][kind]?.shift() ?? null);
}

const file = fs.openSync(trace);
const chunk = Buffer.alloc(1 << 24);
for (let length; (length = fs.readSync(file, chunk)) > 0;) {
  call(1, message(101, chunk.subarray(0, length)));
}
for (const { 212: result } of call(2)) {
  for (const [field, error] of fields(result ?? Buffer.alloc(0))) {
    if (field === 1) {
      console.error(error.toString());
      process.exitCode = 1;
    }
  }
}
// Integers that JavaScript doesn't know exactly are printed as text.
const exact = (_key, value) => {
  if (typeof value !== 'bigint') {
    return value;
  }
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
};
for (const sql of queries) {
  console.log(JSON.stringify(query(sql), exact));
}
