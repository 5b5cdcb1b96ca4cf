/**
 * Tells Throughline what happened to a record, after NetSuite stored it.
 *
 * Deploy it on the record types that matter: job, invoice, creditmemo, customerpayment, timebill, expensereport,
 * customer. Parameters: the URL of the hook, and field ids of your own that are to be sent as well. The secret is the
 * API secret custsecret_throughline (Setup > Company > API Secrets), which must allow this script.
 *
 * It never stops a user from saving: what goes wrong is written to the script's execution log. It tries nothing again,
 * so pair it with polling. CSV imports run it only if "Run Server SuiteScript and Trigger Workflows" is set.
 *
 * @NApiVersion 2.1
 * @NScriptType UserEventScript
 */
define(['N/crypto', 'N/encode', 'N/https', 'N/log', 'N/runtime'], (crypto, encode, https, log, runtime) => {
    const SECRET = 'custsecret_throughline';
    const URL = 'custscript_throughline_url';
    const MORE_FIELDS = 'custscript_throughline_fields';

    /** Fields that are sent, if the record has them; those of records that it refers to as {id, refName}. */
    const VALUES = ['tranid', 'trandate', 'total', 'payment', 'amount', 'memo', 'externalid', 'hours', 'duedate'];
    const REFERENCES = ['entity', 'subsidiary', 'currency', 'job', 'project', 'status', 'approvalstatus'];
    /** Records whose sublist says which invoices they are applied to. */
    const APPLIED = ['customerpayment', 'creditmemo'];

    const afterSubmit = (context) => {
        try {
            const record = context.newRecord || context.oldRecord;
            const script = runtime.getCurrentScript();
            const more = String(script.getParameter({ name: MORE_FIELDS }) || '').split(',').map((name) => name.trim());
            const body = JSON.stringify(describe(context, record, more.filter((name) => name)));
            const seconds = String(Math.floor(Date.now() / 1000));
            const answer = https.post({
                url: script.getParameter({ name: URL }),
                headers: { 'Content-Type': 'application/json', 'X-Probe-Signature': `t=${seconds},v1=${sign(seconds, body)}` },
                body: body,
            });
            if (answer.code < 200 || answer.code > 299) {
                log.error({ title: 'Throughline could not be told', details: `${record.type} ${record.id}: ${answer.code}` });
            }
        } catch (error) {
            log.error({ title: 'Throughline could not be told', details: error });
        }
    };

    const describe = (context, record, more) => {
        const fields = {};
        const present = context.type === 'xedit' ? record.getFields() : null; // holds the changed fields only
        const wanted = (name) => present === null || present.includes(name);
        VALUES.concat(more).filter(wanted).forEach((name) => keep(fields, name, plain(record.getValue({ fieldId: name }))));
        REFERENCES.filter(wanted).forEach((name) => keep(fields, name, reference(record, name)));
        if (APPLIED.includes(String(record.type)) && context.type !== 'delete') {
            fields.applied = applied(record);
        }
        const said = {
            type: 'netsuite.record.afterSubmit',
            recordType: String(record.type),
            recordId: String(record.id),
            eventType: context.type,
            account: runtime.accountId,
            ts: Math.floor(Date.now() / 1000),
            fields: fields,
        };
        const modified = record.getValue({ fieldId: 'lastmodifieddate' });
        if (modified instanceof Date) {
            said.lastModified = modified.toISOString();
        }
        if (context.oldRecord && context.type !== 'delete') {
            said.changed = Object.keys(fields).filter((name) => name !== 'applied' && differs(context.oldRecord, record, name));
        }
        return said;
    };

    const keep = (fields, name, value) => {
        if (value !== null && value !== undefined && value !== '') {
            fields[name] = value;
        }
    };

    /** A date without its time, as 2025-10-09; anything else as it is. */
    const plain = (value) => {
        if (!(value instanceof Date)) {
            return value;
        }
        const two = (number) => String(number).padStart(2, '0');
        return `${value.getFullYear()}-${two(value.getMonth() + 1)}-${two(value.getDate())}`;
    };

    const reference = (record, name) => {
        const id = record.getValue({ fieldId: name });
        return id ? { id: String(id), refName: String(record.getText({ fieldId: name }) || '') } : null;
    };

    const applied = (record) => {
        const invoices = [];
        for (let line = 0; line < record.getLineCount({ sublistId: 'apply' }); line += 1) {
            const of = (name) => record.getSublistValue({ sublistId: 'apply', fieldId: name, line: line });
            if (of('apply') === true || of('apply') === 'T') {
                invoices.push({ id: String(of('internalid') || of('doc')) });
            }
        }
        return invoices;
    };

    const differs = (before, after, name) =>
        String(plain(before.getValue({ fieldId: name })) || '') !== String(plain(after.getValue({ fieldId: name })) || '');

    const sign = (seconds, body) => {
        const key = crypto.createSecretKey({ secret: SECRET, encoding: encode.Encoding.UTF_8 });
        const hmac = crypto.createHmac({ algorithm: crypto.HashAlg.SHA256, key: key });
        hmac.update({ input: `${seconds}.${body}`, inputEncoding: encode.Encoding.UTF_8 });
        return hmac.digest({ outputEncoding: encode.Encoding.HEX }).toLowerCase();
    };

    return { afterSubmit };
});
