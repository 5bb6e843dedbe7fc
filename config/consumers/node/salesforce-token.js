// A jsforce connection that always works with the token that rotator has published last. Copy this file.
//
//     const token = new FreshToken(fromVault('salesforce/acme/tokens/integration@acme.example'));
//     const salesforce = await token.connection();
//     await salesforce.query('SELECT Id FROM Account');
//
// Ask for the connection before each piece of work: it is always the same one, and its token is read again when
// `refresh_after` has come. When Salesforce refuses the token, it is read again once, and the call repeated.

import { readFile } from 'node:fs/promises';
import jsforce from 'jsforce';

/** Read from Vault, as the AppRole that the environment names. Each reading logs in anew: it is seldom enough. */
export const fromVault = (path, mount = 'secret') => async () => {
  const { VAULT_ADDR, VAULT_NAMESPACE, VAULT_ROLE_ID, VAULT_SECRET_ID_FILE } = process.env;
  const call = async (way, token, body) => {
    const answer = await fetch(`${VAULT_ADDR}/v1/${way}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        ...(VAULT_NAMESPACE && { 'X-Vault-Namespace': VAULT_NAMESPACE }),
        ...(token && { 'X-Vault-Token': token }),
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`Vault answered ${answer.status} to ${way}`);
    return answer.json();
  };
  const secret_id = (await readFile(VAULT_SECRET_ID_FILE, 'utf8')).trim();
  const login = await call('auth/approle/login', null, { role_id: VAULT_ROLE_ID, secret_id });
  return (await call(`${mount}/data/${path}`, login.auth.client_token)).data.data;
};

/** Read from a file that an agent of Vault renders, or Kubernetes mounts. */
export const fromFile = (path) => async () => JSON.parse(await readFile(path, 'utf8'));

export class FreshToken {
  #read;
  #pause;
  #connection;
  #document;
  #due = 0;
  #reading;
  #refused;

  /**
   * @param read gives the token document. What it throws counts only while there is no token yet.
   * @param pauseSeconds between two readings, when the one at `refresh_after` brought nothing newer.
   */
  constructor(read, pauseSeconds = 30) {
    this.#read = read;
    this.#pause = pauseSeconds * 1000;
  }

  /** The connection, with a token that is read again if it is due. */
  async connection() {
    if (Date.now() >= this.#due) await this.#readAgain();
    return this.#connection;
  }

  /** The token document in use, once there is a connection. */
  get document() {
    return this.#document;
  }

  /** Read; who comes meanwhile waits for the same reading. */
  #readAgain() {
    this.#reading ??= this.#take().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #take() {
    try {
      this.#document = await this.#read();
    } catch (error) {
      if (!this.#document) throw error;
      console.warn(`the token at hand goes on serving: ${error.message}`);
    }
    const { instance_url: instanceUrl, access_token: accessToken, api_version: version } = this.#document;
    this.#connection ??= new jsforce.Connection({ refreshFn: (_, done) => this.#onRefusal(done) });
    Object.assign(this.#connection, { instanceUrl, accessToken, version });
    this.#due = Math.max(Date.parse(this.#document.refresh_after), Date.now() + this.#pause);
  }

  /** Called by jsforce at a 401; it repeats the call with what `done` is given, and would do so for ever. */
  async #onRefusal(done) {
    console.warn(`token ${this.#document.sequence} was refused, reading again`);
    await this.#readAgain();
    const { access_token: token } = this.#document;
    if (token === this.#refused) return done(new Error('INVALID_SESSION_ID, and no newer token is published'));
    this.#refused = token; // given once more: the call may have gone out with an older one
    done(null, token);
  }
}
