/*
 * The pages of searches by SMART's JavaScript client, one step after the other
 * against one server. Prints a line for each step: its name and what was seen,
 * or what went wrong. Called with the base URL, a token and a prefix for ids.
 */

import smart from 'fhirclient';

const [serverUrl, accessToken, prefix] = process.argv.slice(2);
const memory = new Map();
const storage = {
    get: async (key) => memory.get(key),
    set: async (key, value) => (memory.set(key, value), value),
    unset: async (key) => memory.delete(key),
};
const client = smart({ headers: {} }, {}, storage).client({
    serverUrl, tokenResponse: { access_token: accessToken },
});

let failed = false;

async function step(name, work) {
    try {
        console.log(`ok ${name}: ${JSON.stringify(await work())}`);
    } catch (e) {
        failed = true;
        console.log(`failed ${name}: ${e.message}`);
    }
}

const patient = `${prefix}-s`;
const own = `Observation?patient=${patient}`;
const number = (o) => o.valueInteger;

await step('what is written', async () => {
    await client.update({
        resourceType: 'Patient', id: patient, name: [{ family: 'Smart' }],
    });
    for (let i = 0; i < 7; i += 1) {
        await client.update({
            resourceType: 'Observation', id: `${patient}${i}`,
            status: 'final', code: { text: 'smart' },
            subject: { reference: `Patient/${patient}` },
            effectiveDateTime: `2023-01-0${i + 1}`, valueInteger: i,
        });
    }
    return 8;
});

await step('one page', async () => {
    const r = await client.request(`${own}&_count=3&_sort=date`);
    return [r.type, r.entry.length];
});

await step('all pages', async () => {
    const r = await client.request(`${own}&_count=3&_sort=date`,
                                   { pageLimit: 0 });
    return r.map((page) => page.entry.map((e) => number(e.resource)));
});

await step('all pages as one list', async () => {
    const r = await client.request(`${own}&_count=2&_sort=-date`,
                                   { pageLimit: 0, flat: true });
    return r.map(number);
});

await step('page by page', async () => {
    const seen = [];
    await client.request(`${own}&_count=3&_sort=date`, {
        pageLimit: 2, onPage: (page) => {
            seen.push(page.entry.length);
        },
    });
    return seen;
});

await step('references', async () => {
    const r = await client.request(`${own}&_count=3&_sort=date`, {
        pageLimit: 0, flat: true, resolveReferences: 'subject',
    });
    return r.map((o) => o.subject.name[0].family);
});

await step('matches and what comes with them', async () => {
    const r = await client.request(
        `${own}&_count=4&_sort=date&_include=Observation:patient`,
        { pageLimit: 0, flat: true });
    return r.map((x) => x.resourceType[0]).join('');
});

process.exit(failed ? 1 : 0);
