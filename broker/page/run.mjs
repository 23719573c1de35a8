// SPDX-License-Identifier: MIT
// One run: /portal/runs/ID, the address that clients print.

import {Refusal, get, part, request} from '/page/api.mjs';
import {address, both, bytes, chip, facts, h, named, nothing, region, second, span, table} from '/page/dom.mjs';
import {wordsOf} from '/page/views.mjs';

const TAIL = 64 * 1024; // of the log, in characters
const EVENTS = 500;
const EVENTS_MOST = 2000;

// The end of the log: it is read to its end, and the rest of it forgotten.
const readTail = async id => {
	const response = await request('GET', `/v1/runs/${part(id)}/logs`);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let tail = '', isCut = false;
	for (;;) {
		const {value, done} = await reader.read();
		if (done) return {tail, isCut};
		tail += value;
		if (tail.length > TAIL) {
			tail = tail.slice(-TAIL);
			isCut = true;
		}
	}
};

const readEvents = async (id, old) => {
	const events = [...old];
	for (;;) {
		const after = events.length ? events[events.length - 1].seq : 0;
		const answer = await get(`/v1/runs/${part(id)}/events?after=${after}&limit=${EVENTS}`);
		events.push(...answer.events);
		if (answer.events.length < EVENTS || events.length >= EVENTS_MOST) return events;
	}
};

const failed = results => results.failed?.length > 0 && table('Failed', ['Test', 'Suite', 'File', 'Message'], results.failed.map((f, i) => ({key: `f${i}`, cells: [
	named(f.name || f.classname || '(no name)'), named(f.suite || f.classname || '–'), f.file || '–', h('code', {class: 'wrap'}, f.message || f.type || '–')]})), {level: 3});

const resultsOf = results => region('Results', results ? [facts([
	['Tests', String(results.tests)], ['Failures', String(results.failures)], ['Errors', String(results.errors)], ['Skipped', String(results.skipped)],
	['Suites', String(results.suites)], ['Time', span(results.timeSeconds)]], 'tiles'), failed(results)] : nothing('The run has no test results.'));

const logOf = data => region('Log', data.run.state === 'running' ? nothing('The log comes when the run has ended; what is known meanwhile is below.') :
	data.log?.tail ? [(data.log.isCut || data.run.logTruncated) && h('p', {class: 'soft'}, `The last part of ${bytes(data.run.logBytes)}. All that was kept: `,
		h('code', null, `crabbox logs ${data.run.id}`)),
	h('pre', {class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Text of the log'}, data.log.tail)] : nothing('Nothing was logged.'));

const eventsOf = data => region('Events', data.events.length ? h('ol', {class: 'timeline'}, data.events.map(e => h('li', {'data-key': `e${e.seq}`},
	second(e.createdAt), h('span', {class: 'kind'}, e.type || 'event'), h('span', {class: 'what'},
		[e.phase && named(e.phase), e.stream && [' ', named(e.stream)], (e.message || e.data) && [' ', named(e.message || e.data)], e.exitCode !== undefined && ` exit code ${e.exitCode}`])))) :
	nothing('Nothing was reported.'));

export const run = {
	title: data => data?.run ? `Run ${data.run.id}` : 'Run',
	// A run says nothing in /v1/events, so it is read again while it runs.
	isMoving: data => data?.run?.state === 'running',
	async load({arg, old}) {
		const same = old?.run?.id === arg ? old : null;
		let found;
		try {
			found = (await get(`/v1/runs/${part(arg)}`)).run;
		} catch (error) {
			if (error instanceof Refusal && error.status === 404) return {missing: `There is no run ${arg} that this token may see.`};
			throw error;
		}
		const events = await readEvents(arg, same?.events || []);
		const isRead = same?.log && same.run.logBytes === found.logBytes;
		return {run: found, events, log: isRead ? same.log : found.logBytes > 0 ? await readTail(arg) : null};
	},
	show(data, {now}) {
		const {run: r} = data;
		return [facts([
			['State', [chip(r.state), r.phase && r.phase !== r.state && [' ', named(r.phase)]]], ['Exit code', r.exitCode ?? undefined],
			['Command', h('code', {class: 'wrap'}, wordsOf(r))], ['Label', r.label && named(r.label)], ['Owner', [named(r.owner), r.org && [', ', named(r.org)]]],
			['Lease', r.leaseID && h('a', {href: address('lease', r.leaseID)}, named(r.slug || r.leaseID))], ['Machine', r.serverType && named(r.serverType)],
			['Stopped at', r.blockedStage && named(r.blockedStage)], ['A retry may help', r.retryLikely && named(r.retryLikely)],
			['Started', both(r.startedAt, now)], ['Last event', !r.endedAt && r.lastEventAt && both(r.lastEventAt, now)], ['Ended', r.endedAt && both(r.endedAt, now)],
			['Took', r.durationMs > 0 && span(r.durationMs / 1000)], ['Copying', r.syncMs > 0 && span(r.syncMs / 1000)], ['Command took', r.commandMs > 0 && span(r.commandMs / 1000)]]),
		resultsOf(r.results), logOf(data), eventsOf(data)];
	},
};
