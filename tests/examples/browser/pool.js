// SPDX-License-Identifier: Apache-2.0
// A pool of workers, each with a library of its own from one compiled module.

export class Pool {
  #idle = [];
  #queue = [];
  #tasks = new Map(); // by number
  #next = 0;

  constructor(size, module, glue) {
    for (let i = 0; i < size; i++) {
      const worker = new Worker("worker.js", { type: "module" });
      worker.onmessage = ({ data }) => this.#tell(worker, data);
      worker.postMessage({ module, glue });
    }
  }

  /** Hashes a file. `progress` is told the bytes so far. */
  hash(file, { signal, progress }) {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const task = { number: ++this.#next, file, progress, resolve, reject };
      signal.addEventListener("abort", () => {
        task.worker?.postMessage({ cancel: task.number });
        this.#queue = this.#queue.filter((other) => other !== task);
        this.#tasks.delete(task.number);
        reject(signal.reason);
      }, { once: true });
      this.#tasks.set(task.number, task);
      this.#queue.push(task);
      this.#serve();
    });
  }

  #serve() {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const task = this.#queue.shift();
      task.worker = this.#idle.pop();
      task.worker.postMessage({ hash: task.number, file: task.file });
    }
  }

  #tell(worker, { idle, number, done, sum, error }) {
    if (idle) {
      this.#idle.push(worker);
      this.#serve();
      return;
    }
    const task = this.#tasks.get(number);
    if (!task) return; // it was cancelled
    if (done !== undefined) {
      task.progress(done);
      return;
    }
    this.#tasks.delete(number);
    if (error) task.reject(new Error(error));
    else task.resolve(sum);
  }
}
