// SPDX-License-Identifier: MIT
// Node's own HTTP parser behind the framing of http-parse-dump --serve: one request in
// (four bytes of length, low first, then the bytes), what llhttp read of it out, as JSON.
'use strict';

const { HTTPParser, methods } = process.binding('http_parser');

function read(data) {
	const parser = new HTTPParser();
	let headers = [], body = '', target = '', done = 0, answer = null;

	parser.initialize(HTTPParser.REQUEST, {}, 1 << 24, 0);
	// More than 32 fields come in portions, and the target with the first of them.
	parser[HTTPParser.kOnHeaders | 0] = (some, url) => {
		headers = headers.concat(some);
		target += url;
	};
	parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, some, method, url) => {
		headers = headers.concat(some || []);
		answer = { method: methods[method], target: url || target, headers };
		return 0;
	};
	parser[HTTPParser.kOnBody | 0] = (...args) => {
		const [all, from, count] = args;
		const piece = args.length > 1 ? all.subarray(from, from + count) : all;

		body += piece.toString('latin1');
	};
	parser[HTTPParser.kOnMessageComplete | 0] = () => { done++; };
	const used = parser.execute(data, 0, data.length);
	if (used instanceof Error)
		return { refused: String(used.code || used.message) };
	if (done !== 1 || used !== data.length)
		return { refused: `${done} requests, ${used} of ${data.length} bytes` };
	answer.body = body;
	return answer;
}

let pending = Buffer.alloc(0);

process.stdin.on('data', (some) => {
	pending = Buffer.concat([pending, some]);
	while (pending.length >= 4) {
		const length = pending.readUInt32LE(0);
		if (pending.length < 4 + length)
			break;
		const request = Buffer.from(pending.subarray(4, 4 + length));
		const text = Buffer.from(JSON.stringify(read(request)));
		const head = Buffer.alloc(4);
		head.writeUInt32LE(text.length, 0);
		process.stdout.write(Buffer.concat([head, text]));
		pending = pending.subarray(4 + length);
	}
});
