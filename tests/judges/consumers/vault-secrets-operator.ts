// secrets.hashicorp.com/v1beta1 of the Vault Secrets Operator, field by field as its API reference has it: no package
// ships its schema. A field with a default may be left out.

interface Kind<Name extends string, Spec> {
  apiVersion: 'secrets.hashicorp.com/v1beta1';
  kind: Name;
  metadata: { name: string; namespace?: string; labels?: Texts; annotations?: Texts };
  spec: Spec;
}

type Texts = Record<string, string>;
type Duration = `${number}${'s' | 'm' | 'h'}`;

export type VaultConnection = Kind<'VaultConnection', {
  address: string;
  headers?: Texts;
  tlsServerName?: string;
  caCertSecretRef?: string;
  skipTLSVerify?: boolean;
  timeout?: Duration;
}>;

export type VaultAuth = Kind<'VaultAuth', {
  vaultConnectionRef?: string;
  namespace?: string;
  allowedNamespaces?: string[];
  mount: string;
  params?: Texts;
  headers?: Texts;
} & (
  | { method: 'kubernetes'; kubernetes: Identity }
  | { method: 'jwt'; jwt: Identity & { secretRef?: string } }
  | { method: 'appRole'; appRole: { roleId: string; secretRef: string } }
)>;

interface Identity {
  role: string;
  serviceAccount: string;
  audiences?: string[];
  tokenExpirationSeconds?: number;
}

export type VaultStaticSecret = Kind<'VaultStaticSecret', {
  vaultAuthRef?: string;
  namespace?: string;
  mount: string;
  path: string;
  version?: number;
  type: 'kv-v1' | 'kv-v2';
  refreshAfter?: Duration;
  hmacSecretData?: boolean;
  rolloutRestartTargets?: { kind: 'Deployment' | 'DaemonSet' | 'StatefulSet'; name: string }[];
  syncConfig?: { instantUpdates?: boolean };
  destination: {
    name: string;
    create?: boolean;
    overwrite?: boolean;
    labels?: Texts;
    annotations?: Texts;
    type?: string;
    transformation?: {
      templates?: Record<string, { name?: string; text: string }>;
      transformationRefs?: { name: string; namespace?: string }[];
      includes?: string[];
      excludes?: string[];
      excludeRaw?: boolean;
      resync?: boolean;
    };
  };
}>;
