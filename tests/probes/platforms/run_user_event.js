// Runs the user event script on stand-ins of NetSuite's modules; prints what it posts, one JSON object per line.
const node = { crypto: require('crypto'), fs: require('fs') };
Date.now = () => 1760000000000;

const modules = {
    'N/crypto': {
        HashAlg: { SHA256: 'sha256' },
        createSecretKey: (options) => (options.secret === 'custsecret_throughline' ? 'probe-secret' : ''),
        createHmac: (options) => {
            const hmac = node.crypto.createHmac(options.algorithm, options.key);
            return {
                update: (said) => hmac.update(said.input, said.inputEncoding),
                digest: (said) => hmac.digest(said.outputEncoding).toUpperCase(),
            };
        },
    },
    'N/encode': { Encoding: { UTF_8: 'utf8', HEX: 'hex' } },
    'N/https': {
        post: (options) => {
            console.log(JSON.stringify({ body: options.body, signature: options.headers['X-Probe-Signature'] }));
            if (options.body.includes('customerpayment')) throw new Error('the receiver is down');
            return { code: 200 };
        },
    },
    'N/log': { error: (said) => console.error(said.title) },
    'N/runtime': {
        accountId: '1234567_SB1',
        getCurrentScript: () => ({ getParameter: (wanted) => ({ custscript_throughline_url: 'https://probe.example.com' })[wanted.name] }),
    },
};

const record = (type, id, values, texts, lines) => ({
    type, id,
    getFields: () => Object.keys(values),
    getValue: (wanted) => values[wanted.fieldId],
    getText: (wanted) => (texts || {})[wanted.fieldId],
    getLineCount: () => (lines || []).length,
    getSublistValue: (wanted) => lines[wanted.line][wanted.fieldId],
});

const values = { tranid: 'Zürich-1', total: 1000.5, currency: 1, subsidiary: 2, entity: 401, job: 77, trandate: new Date(2025, 9, 9) };
const texts = { currency: 'USD', subsidiary: 'Acme US', entity: 'Acme', job: 'Rollout' };
const contexts = [
    { type: 'create', newRecord: record('invoice', 1215, values, texts) },
    {
        type: 'xedit',
        newRecord: record('invoice', 1215, { duedate: new Date(2025, 10, 1) }),
        oldRecord: record('invoice', 1215, { ...values, duedate: '' }, texts),
    },
    {
        type: 'create',
        newRecord: record('customerpayment', 1300, { payment: 1000.5 }, {}, [
            { apply: true, internalid: 1215 }, { apply: false, internalid: 9 }, { apply: 'T', doc: 1216 }]),
    },
    { type: 'create' },
];

global.define = (names, factory) => {
    const script = factory(...names.map((name) => modules[name]));
    contexts.forEach((context) => script.afterSubmit(context));
};
eval(node.fs.readFileSync(process.argv[2], 'utf8'));
