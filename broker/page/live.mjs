// SPDX-License-Identifier: MIT
// What happens, as it happens: GET /v1/events, read with fetch() because EventSource cannot send
// a token. Where that fails, everything is read again every 15 s.

import {Refusal, request} from '/page/api.mjs';

const POLL_S = 15;
const SILENCE_S = 45; // the daemon sends a comment every 15 s
const AGAIN_POLLS = 4;
const LATER_POLLS = 20; // the daemon has no such route
const BACKOFF_MOST_S = 15;

const pause = (seconds, signal) => new Promise(done => {
	const end = () => {
		clearTimeout(timer);
		removeEventListener('online', end);
		signal.removeEventListener('abort', end);
		done();
	};
	const timer = setTimeout(end, seconds * 1000);
	addEventListener('online', end);
	signal.addEventListener('abort', end);
	if (signal.aborted) end();
});

// The events of a text/event-stream, as {id, event, data}.
async function* events(response, heard) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '', one = {data: ''};
	for (;;) {
		const {value, done} = await reader.read();
		if (done) return;
		heard();
		const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
		rest = lines.pop();
		for (const line of lines) {
			if (line === '') {
				if (one.event || one.data) yield one;
				one = {data: ''};
				continue;
			}
			const colon = line.indexOf(':');
			if (colon === 0) continue;
			const name = colon < 0 ? line : line.slice(0, colon);
			const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
			if (name === 'data') one.data += (one.data && '\n') + text;
			else if (name === 'event' || name === 'id') one[name] = text;
		}
	}
}

const parsed = text => {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
};

// Follows until `signal` aborts. `told`: live(), polling(), offline(seconds), lease(event), and
// reset(), which reads everything again and may fail.
export const follow = async (told, signal) => {
	let last = '', fails = 0, polls = 0;

	const stream = async () => {
		const silence = new AbortController();
		let timer = 0;
		const heard = () => {
			clearTimeout(timer);
			timer = setTimeout(() => silence.abort(), SILENCE_S * 1000);
		};
		heard();
		try {
			const response = await request('GET', '/v1/events', {
				signal: AbortSignal.any([signal, silence.signal]),
				headers: {Accept: 'text/event-stream', ...(last && {'Last-Event-ID': last})}});
			if (fails || !last) await told.reset();
			told.live();
			fails = 0;
			for await (const {id, event, data} of events(response, heard)) {
				if (id !== undefined) last = id;
				if (event === 'reset') await told.reset();
				else if (event === 'lease') told.lease(parsed(data) || {});
			}
		} finally {
			clearTimeout(timer);
			silence.abort();
		}
	};

	while (!signal.aborted) {
		try {
			if (polls > 0) {
				await told.reset();
				fails = 0;
				polls--;
				told.polling();
				await pause(POLL_S, signal);
			} else {
				await stream();
				fails++;
				await pause(0.5 + Math.random(), signal);
			}
		} catch (error) {
			if (signal.aborted) return;
			fails++;
			if (error instanceof Refusal && polls === 0) {
				polls = error.status === 404 ? LATER_POLLS : AGAIN_POLLS;
				continue;
			}
			const seconds = Math.min(2 ** (fails - 1), BACKOFF_MOST_S);
			told.offline();
			await pause(seconds * (0.75 + Math.random() / 2), signal);
		}
	}
};
