// Counts the accounts of an org, again and again: an application that is never restarted for a new token.

import { setTimeout as sleep } from 'node:timers/promises';
import { FreshToken, fromFile, fromVault } from './salesforce-token.js';

const { SALESFORCE_TOKEN_FILE, SALESFORCE_TOKEN_PATH, READ_AGAIN_SECONDS = 30, CALL_EVERY_SECONDS = 60 } = process.env;
const read = SALESFORCE_TOKEN_FILE ? fromFile(SALESFORCE_TOKEN_FILE) : fromVault(SALESFORCE_TOKEN_PATH);
const token = new FreshToken(read, Number(READ_AGAIN_SECONDS));

for (;;) {
  const salesforce = await token.connection();
  const { totalSize } = await salesforce.query('SELECT Id FROM Account');
  console.log(`${totalSize} accounts, token ${token.document.sequence}`);
  await sleep(Number(CALL_EVERY_SECONDS) * 1000);
}
