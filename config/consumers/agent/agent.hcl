# For `bao agent -config=agent.hcl`, or `vault agent`: keeps /run/salesforce/acme.json fresh.

vault {
  address = "https://vault.example.com:8200"
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "/etc/salesforce-agent/role_id"
      secret_id_file_path = "/etc/salesforce-agent/secret_id"

      # It is needed again when the agent is started again.
      remove_secret_id_file_after_reading = false
    }
  }
}

template_config {
  # Vault gives the document no lease, so the agent reads it again this often (left out: 5m).
  static_secret_render_interval = "4m"
}

# The whole document. A new one takes the place of the old: open the file anew for each reading.
template {
  destination          = "/run/salesforce/acme.json"
  perms                = "0600"
  error_on_missing_key = true
  contents             = <<-EOF
  {{ with secret "secret/data/salesforce/acme/tokens/integration@acme.example" }}{{ .Data.data | toJSON }}{{ end }}
  EOF
}

# The document changes whenever its token is proved again. This file changes with the token only, and then its command
# is run.
template {
  destination          = "/run/salesforce/acme.token"
  perms                = "0600"
  error_on_missing_key = true
  contents             = <<-EOF
  {{ with secret "secret/data/salesforce/acme/tokens/integration@acme.example" }}{{ .Data.data.access_token | sha256Hex }}{{ end }}
  EOF

  exec {
    command = ["systemctl", "try-reload-or-restart", "my-application.service"]
    timeout = "30s"
  }
}
