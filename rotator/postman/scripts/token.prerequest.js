// Sets {{signed_assertion}}: the given `assertion` while it lives, else one that is signed here with `private_key`
// (RFC 7523 section 3). Nothing is loaded from anywhere, and nothing but the assertion leaves this script.

const { SHA256 } = require('crypto-js');
const Bytes = require('buffer').Buffer;

const LIFETIME_SECONDS = 150; // Salesforce takes up to 180; the rest is for clocks that differ
const RSA_ENCRYPTION = '2a864886f70d010101'; // 1.2.840.113549.1.1.1 (RFC 8017 appendix A.1)
const SHA256_DIGEST_INFO = '3031300d060960864801650304020105000420'; // RFC 8017 section 9.2, note 1
const EXPORT = 'rotator export postman NAME';

const now = () => Math.floor(Date.now() / 1000);
const base64url = (bytes) =>
    bytes.toString('base64').replace(/=+$/, '').replace(/\+/g, '-').replace(/\//g, '_');

// --- the key ---------------------------------------------------------------------------------------------------

// The elements that follow each other in DER (X.690 section 8.1), such as the members of a SEQUENCE.
function elements(der) {
    const found = [];
    while (der.length > 0) {
        const longer = der[1] & 0x80 ? der[1] & 0x7f : 0; // so many bytes tell the length
        const start = 2 + longer;
        const length = longer ? parseInt(der.subarray(2, start).toString('hex'), 16) : der[1];
        const content = der.subarray(start, start + length);
        if (!(content.length === length)) throw new Error('a part of it is missing');
        found.push(content);
        der = der.subarray(start + length);
    }
    return found;
}

const members = (der) => elements(elements(der)[0]);

// Takes PKCS#8 (RFC 5208) and PKCS#1 (RFC 8017 appendix A.1.2) in PEM, also where line breaks were lost on the way.
function readKey(pem) {
    const [, label, body] = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)/.exec(pem) || [];
    if (/ENCRYPTED/.test(pem)) throw new Error('it is encrypted: openssl pkey -in FILE prints it without passphrase');
    if (!/^(RSA )?PRIVATE KEY$/.test(label)) throw new Error('it is no RSA key that begins with BEGIN PRIVATE KEY');
    let der = Bytes.from(body.replace(/\\n|\s/g, ''), 'base64');
    if (label === 'PRIVATE KEY') {
        const [, algorithm, key] = members(der);
        if (elements(algorithm)[0].toString('hex') !== RSA_ENCRYPTION) throw new Error('it is no RSA key');
        der = key;
    }
    const [, modulus, publicExponent, privateExponent] = members(der).map((bytes) =>
        BigInt(`0x${bytes.toString('hex')}`),
    );
    return { modulus, publicExponent, privateExponent };
}

// --- the signature: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2), which JWT calls RS256 -------------------

function power(base, exponent, modulus) {
    let result = 1n;
    for (const bit of exponent.toString(2)) {
        result = (result * result) % modulus;
        if (bit === '1') result = (result * base) % modulus;
    }
    return result;
}

function signature(text, { modulus, publicExponent, privateExponent }) {
    const digits = 2 * Math.ceil(modulus.toString(16).length / 2); // of as many whole bytes as the modulus has
    const digest = `00${SHA256_DIGEST_INFO}${SHA256(text)}`;
    const padded = BigInt(`0x0001${digest.padStart(digits - 4, 'f')}`);
    const signed = power(padded, privateExponent, modulus);
    if (power(signed, publicExponent, modulus) !== padded) throw new Error('it is damaged: its numbers do not fit');
    return Bytes.from(signed.toString(16).padStart(digits, '0'), 'hex');
}

function sign(claims, pem) {
    const parts = [{ alg: 'RS256' }, claims].map((part) => base64url(Bytes.from(JSON.stringify(part), 'utf8')));
    const text = parts.join('.');
    try {
        return `${text}.${base64url(signature(text, readKey(pem)))}`;
    } catch (error) {
        const reason = error.name === 'Error' ? error.message : 'it is damaged'; // not one of ours: a number is missing
        throw new Error(`private_key can't be used: ${reason}`);
    }
}

// --- the assertion ---------------------------------------------------------------------------------------------

// When an assertion ends, in seconds; undefined where that can't be read, which is then for Salesforce to say.
function endOf(assertion) {
    try {
        return JSON.parse(Bytes.from(assertion.split('.')[1], 'base64').toString('utf8')).exp;
    } catch (error) {
        return undefined;
    }
}

function assertion() {
    const given = (pm.variables.get('assertion') || '').trim();
    const pem = pm.variables.get('private_key') || '';
    if (given && !(endOf(given) <= now())) return given;
    if (pem) {
        const [iss, sub, aud] = ['consumer_key', 'username', 'audience'].map((name) => pm.variables.get(name));
        return sign({ iss, sub, aud, exp: now() + LIFETIME_SECONDS }, pem);
    }
    if (given) {
        const ended = new Date(endOf(given) * 1000).toISOString();
        throw new Error(`the assertion ended at ${ended}. Make another: ${EXPORT} --with-assertion`);
    }
    throw new Error(
        'private_key and assertion are both empty. Choose the environment; paste the private key into its variable ' +
            `private_key, or make the files again: ${EXPORT} --with-assertion, or --with-private-key`,
    );
}

try {
    pm.variables.set('signed_assertion', assertion());
} catch (error) {
    pm.test('there is an assertion to send', () => {
        throw error;
    });
    pm.execution.setNextRequest(null); // without a token nothing else can be asked
    pm.execution.skipRequest(); // nothing after this is run
}
