/*
 * What an app does with a client library: one step after the other against
 * one server. Prints a line for each step: its name and what was seen, or what
 * went wrong. Called with the base URL, a token and a prefix for ids.
 */

import { Client } from 'fhir-kit-client';

const [baseUrl, bearerToken, prefix] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });
const http = (r) => Client.httpFor(r).response;
const person = (id, family) => ({
    resourceType: 'Patient', ...(id && { id }),
    identifier: [{ system: 'urn:kit', value: prefix }],
    name: [{ family, given: ['Kit'] }],
});

let failed = false;
const served = new Set();

async function step(name, work) {
    try {
        console.log(`ok ${name}: ${JSON.stringify(await work())}`);
    } catch (e) {
        failed = true;
        const status = e.response?.status ?? '';
        const data = JSON.stringify(e.response?.data ?? '').slice(0, 300);
        console.log(`failed ${name}: ${e.message} ${status} ${data}`);
    }
}

function want(condition, what) {
    if (!condition) {
        throw new Error(what);
    }
}

/* The status of what must be refused. */
async function refused(promise) {
    try {
        await promise;
    } catch (e) {
        return e.response?.status;
    }
    throw new Error('it was not refused');
}

let created;
const id = `${prefix}-u`;

await step('statement', async () => {
    const s = await client.capabilityStatement();
    const rest = s.rest[0];
    for (const i of rest.resource.find((r) => r.type === 'Patient')
        .interaction.concat(rest.interaction)) {
        served.add(i.code);
    }
    return s.fhirVersion;
});

await step('create', async () => {
    created = await client.create({ resourceType: 'Patient',
                                    body: person(null, 'One') });
    want(created.meta.versionId === '1', 'version');
    want(http(created).status === 201, 'status');
    want(http(created).headers.get('location')
        .endsWith(`Patient/${created.id}/_history/1`), 'Location');
    return 201;
});

await step('read', async () => {
    const r = await client.read({ resourceType: 'Patient', id: created.id });
    want(r.name[0].family === 'One', 'name');
    want(http(r).headers.get('etag') === 'W/"1"', 'ETag');
    return await refused(client.read({ resourceType: 'Patient',
                                       id: `${prefix}-none` }));
});

await step('update', async () => {
    const first = await client.update({ resourceType: 'Patient', id,
                                        body: person(id, 'One') });
    const next = await client.update({
        resourceType: 'Patient', id, body: person(id, 'Two'),
        options: { headers: { 'If-Match': 'W/"1"' } },
    });
    const late = await refused(client.update({
        resourceType: 'Patient', id, body: person(id, 'Late'),
        options: { headers: { 'If-Match': 'W/"1"' } },
    }));
    return [http(first).status, next.meta.versionId, late];
});

await step('vread', async () => {
    const r = await client.vread({ resourceType: 'Patient', id,
                                   version: '1' });
    return r.name[0].family;
});

if (served.has('patch')) {
    await step('patch', async () => {
        const r = await client.patch({
            resourceType: 'Patient', id,
            jsonPatch: [{ op: 'replace', path: '/name/0/family',
                          value: 'Three' }],
        });
        return [r.name[0].family, r.meta.versionId];
    });
}

await step('transaction', async () => {
    const entry = [0, 1, 2, 3, 4].map((i) => ({
        fullUrl: `urn:uuid:0a0a0a0a-0000-4000-8000-00000000000${i}`,
        resource: {
            resourceType: 'Observation', status: 'final',
            code: { text: 'kit' },
            subject: { reference: `Patient/${id}` }, valueInteger: i,
        },
        request: { method: 'POST', url: 'Observation' },
    }));
    const r = await client.transaction({
        body: { resourceType: 'Bundle', type: 'transaction', entry },
    });
    want(r.type === 'transaction-response', 'type');
    return r.entry.map((e) => e.response.status.slice(0, 3));
});

await step('search', async () => {
    const get = await client.search({
        resourceType: 'Patient', searchParams: { _id: id },
    });
    const post = await client.search({
        resourceType: 'Patient', searchParams: { _id: id },
        options: { postSearch: true },
    });
    want(get.entry[0].resource.id === post.entry[0].resource.id, 'the same');
    return get.total;
});

await step('pages of a search', async () => {
    const seen = new Set();
    let bundle = await client.search({
        resourceType: 'Observation',
        searchParams: { subject: `Patient/${id}`, _count: 2 },
    });
    let pages = 0;
    while (bundle) {
        pages += 1;
        bundle.entry.forEach((e) => seen.add(e.resource.id));
        bundle = await client.nextPage({ bundle });
    }
    return [pages, seen.size];
});

await step('pages back and forth', async () => {
    const ids = (b) => b.entry.filter((e) => e.search.mode === 'match')
        .map((e) => e.resource.valueInteger);
    const seen = [];
    let bundle = await client.search({
        resourceType: 'Observation',
        searchParams: { subject: `Patient/${id}`, _count: 2, _sort: '_id',
                        _include: 'Observation:subject' },
        options: { postSearch: true },
    });
    let last;
    for (; bundle; bundle = await client.nextPage({ bundle })) {
        seen.push(ids(bundle));
        want(bundle.entry.at(-1).search.mode === 'include', 'include');
        last = bundle;
    }
    const back = [];
    for (bundle = last; bundle; bundle = await client.prevPage({ bundle })) {
        back.unshift(ids(bundle));
    }
    want(JSON.stringify(seen) === JSON.stringify(back), `${seen} ${back}`);
    return seen.map((page) => page.length);
});

await step('search of several types', async () => {
    const all = await client.search({
        searchParams: { _type: 'Patient,Observation',
                        _id: id, _summary: 'count' },
    });
    const inside = await client.search({
        resourceType: 'Observation',
        compartment: { resourceType: 'Patient', id },
        searchParams: { status: 'final' },
    });
    return [all.total, inside.total];
});

await step('history', async () => {
    const seen = [];
    let bundle = await client.history({
        resourceType: 'Patient', id, options: {},
    });
    want(bundle.type === 'history', 'type');
    bundle = await client.request(`Patient/${id}/_history?_count=1`);
    while (bundle) {
        seen.push(bundle.entry[0].resource.name[0].family);
        bundle = await client.nextPage({ bundle });
    }
    await client.history({ resourceType: 'Patient' });
    await client.history();
    return seen;
});

await step('everything', async () => {
    const r = await client.operation({
        name: '$everything', resourceType: 'Patient', id, method: 'GET',
    });
    const posted = await client.operation({
        name: 'everything', resourceType: 'Patient', id,
        input: { resourceType: 'Parameters',
                 parameter: [{ name: '_type', valueString: 'Patient' }] },
    });
    return [r.entry.length, posted.entry.length];
});

if (served.has('delete')) {
    await step('delete', async () => {
        await client.delete({ resourceType: 'Patient', id: created.id });
        const gone = await refused(client.read({ resourceType: 'Patient',
                                                 id: created.id }));
        const h = await client.history({ resourceType: 'Patient',
                                         id: created.id });
        return [gone, h.entry.map((e) => e.request.method)];
    });
}

process.exit(failed ? 1 : 0);
