{{/* Values that contradict each other, which a schema of JSON cannot say in words that help. Each fault is a line that
names the value and what to do; all are told at once. Nothing of a value that could be secret is repeated. */}}
{{- define "curlew.validate" -}}
{{- $faults := list -}}
{{- $controller := .Values.controller -}}
{{- $certManager := .Values.tls.certManager.enabled -}}

{{- if $controller.enabled -}}
{{- if eq $controller.store.type "sqlite" -}}
{{- if gt (int $controller.replicas) 1 -}}
{{- $faults = append $faults (printf "controller.replicas is %d, but a store in SQLite has room for one: set controller.store.type to postgresql, or controller.replicas to 1" (int $controller.replicas)) -}}
{{- end -}}
{{- if $controller.store.postgresql.existingSecret -}}
{{- $faults = append $faults "controller.store.type is sqlite, but controller.store.postgresql.existingSecret is set: set the type to postgresql, or remove the Secret" -}}
{{- end -}}
{{- else -}}
{{- if not $controller.store.postgresql.existingSecret -}}
{{- $faults = append $faults "controller.store.type is postgresql, but nothing says where: make a Secret with the URL and name it in controller.store.postgresql.existingSecret" -}}
{{- end -}}
{{- if $controller.store.sqlite.existingClaim -}}
{{- $faults = append $faults "controller.store.type is postgresql, but controller.store.sqlite.existingClaim is set: remove it, or set the type to sqlite" -}}
{{- end -}}
{{- end -}}
{{- if and $certManager $controller.tls.existingSecret -}}
{{- $faults = append $faults "the controller has two certificates: remove controller.tls.existingSecret, or set tls.certManager.enabled to false" -}}
{{- else if not (or $certManager $controller.tls.existingSecret) -}}
{{- $faults = append $faults "the controller has no certificate: set tls.certManager.enabled to true, or name a Secret with tls.crt, tls.key and ca.crt in controller.tls.existingSecret (curlew pki issue controller --kubernetes-secret NAME prints one)" -}}
{{- end -}}
{{- if and (not $certManager) (or $controller.tls.dnsNames $controller.tls.ipAddresses) -}}
{{- $faults = append $faults "controller.tls.dnsNames and ipAddresses are for certificates that cert-manager makes: set tls.certManager.enabled to true, or remove them" -}}
{{- end -}}
{{- if and $controller.access.existingConfigMap (or $controller.access.roles $controller.access.agents) -}}
{{- $faults = append $faults "controller.access.existingConfigMap has the whole file, and controller.access.roles or agents are set, too: keep one" -}}
{{- else if not (or $controller.access.existingConfigMap $controller.access.roles) -}}
{{- $faults = append $faults "nobody may do anything: controller.access.roles is empty. For example: [{role: admin, users: [ada]}]" -}}
{{- end -}}
{{- range $controller.access.agents -}}
{{- $other := .agent -}}
{{- range $.Values.agents -}}
{{- if eq .name $other -}}
{{- $faults = append $faults (printf "controller.access.agents names %s, an agent of this release, which is let in by itself: remove it there" $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else if not .Values.agents -}}
{{- $faults = append $faults "there is nothing to install: controller.enabled is false and agents is empty" -}}
{{- end -}}

{{- /* Flags that the chart gives itself. */}}
{{- $given := "^--(insecure|tls-[a-z-]+|listen|advertise|health|metrics|store|access|tokens|rate-limit|rate-burst|stream-limit|notifications|audit-key|id|controller|target|throttle|config|log-level|log-format)(=|$)" -}}
{{- range $controller.extraArgs -}}
{{- if regexMatch $given . -}}
{{- $faults = append $faults (printf "controller.extraArgs: %s is given by the chart itself: use its values, and no --insecure in a cluster" (splitList "=" . | first)) -}}
{{- end -}}
{{- end -}}

{{- if and .Values.tls.certManager.users (not $certManager) -}}
{{- $faults = append $faults "tls.certManager.users get certificates from cert-manager only: set tls.certManager.enabled to true, or issue theirs with curlew pki issue user" -}}
{{- end -}}
{{- if and $certManager (not $controller.enabled) (not .Values.tls.certManager.issuerRef.name) -}}
{{- $faults = append $faults "a CA of this release's own would not be trusted by a controller elsewhere: name its issuer in tls.certManager.issuerRef.name" -}}
{{- end -}}
{{- if .Values.test.enabled -}}
{{- if not $controller.enabled -}}
{{- $faults = append $faults "test.enabled asks for this release's controller, and controller.enabled is false: set test.enabled to false" -}}
{{- else if and $certManager .Values.test.tls.existingSecret -}}
{{- $faults = append $faults "the test has two certificates: remove test.tls.existingSecret, or set tls.certManager.enabled to false" -}}
{{- else if not (or $certManager .Values.test.tls.existingSecret) -}}
{{- $faults = append $faults "the test has no certificate: name a Secret in test.tls.existingSecret, or set test.enabled to false" -}}
{{- end -}}
{{- end -}}

{{- $names := dict -}}
{{- $targets := dict -}}
{{- range .Values.agents -}}
{{- $agent := include "curlew.agent" (dict "root" $ "agent" .) | fromYaml -}}
{{- $where := printf "agents, %s" .name -}}
{{- if hasKey $names .name -}}
{{- $faults = append $faults (printf "%s: two entries have this name: an agent's name is its identity" $where) -}}
{{- end -}}
{{- $_ := set $names .name true -}}
{{- if hasKey $targets .target -}}
{{- $faults = append $faults (printf "%s: target %s has an agent already, %s: a target is served by one" $where .target (get $targets .target)) -}}
{{- end -}}
{{- $_ := set $targets .target .name -}}
{{- $own := dig "tls" "existingSecret" "" . -}}
{{- if and $certManager $own -}}
{{- $faults = append $faults (printf "%s: it has two certificates: remove its tls.existingSecret, or set tls.certManager.enabled to false" $where) -}}
{{- else if not (or $certManager $own) -}}
{{- $faults = append $faults (printf "%s: it has no certificate: name a Secret in its tls.existingSecret (curlew pki issue agent %s --kubernetes-secret NAME prints one), or set tls.certManager.enabled to true" $where .name) -}}
{{- end -}}
{{- if and $controller.enabled $agent.controllerAddress -}}
{{- $faults = append $faults (printf "%s: controllerAddress is set, and this release has a controller of its own: remove it, or set controller.enabled to false" $where) -}}
{{- else if not (or $controller.enabled $agent.controllerAddress) -}}
{{- $faults = append $faults (printf "%s: it has no controller: set agentDefaults.controllerAddress, or controller.enabled to true" $where) -}}
{{- end -}}
{{- range $agent.extraArgs -}}
{{- if regexMatch $given . -}}
{{- $faults = append $faults (printf "%s: extraArgs: %s is given by the chart itself: use its values, and no --insecure in a cluster" $where (splitList "=" . | first)) -}}
{{- end -}}
{{- end -}}
{{- $trust := $agent.trust -}}
{{- if $trust.planKeys -}}
{{- $keys := len (default dict $trust.approverKeys) -}}
{{- $needed := int $trust.dropApprovals -}}
{{- if and (eq $keys 0) (gt $needed 0) -}}
{{- $faults = append $faults (printf "%s: trust.approverKeys is empty, so nobody can sign for DROP steps: name who may, or set trust.dropApprovals to 0, and the plan's signature is enough for them" $where) -}}
{{- else if and (gt $keys 0) (eq $needed 0) -}}
{{- $faults = append $faults (printf "%s: trust.dropApprovals is 0, and trust.approverKeys name who signs for DROP steps: set it to 1 at least, or remove the keys" $where) -}}
{{- else if gt $needed $keys -}}
{{- $faults = append $faults (printf "%s: trust.dropApprovals is %d, and trust.approverKeys has %d: no DROP step could ever run" $where $needed $keys) -}}
{{- end -}}
{{- if regexMatch "(?m)^[\"']?trust[\"']?\\s*:" $agent.config -}}
{{- $faults = append $faults (printf "%s: config says whom the agent trusts, and so does trust: keep trust" $where) -}}
{{- else if regexMatch "^\\s*\\{|(?m)^(---|\\.\\.\\.)" $agent.config -}}
{{- $faults = append $faults (printf "%s: trust is written below config, which must be plain lines for that, `checks:` and so on: no braces around them, no --- or ..." $where) -}}
{{- end -}}
{{- else if $trust.approverKeys -}}
{{- $faults = append $faults (printf "%s: trust.approverKeys is set, and trust.planKeys is not: without keys for plans the agent asks for no signature at all. Name who signs plans, or remove the keys" $where) -}}
{{- end -}}
{{- $database := .database -}}
{{- $ways := list -}}
{{- if $database.existingSecret }}{{ $ways = append $ways "existingSecret" }}{{ end -}}
{{- if $database.conninfo }}{{ $ways = append $ways "conninfo" }}{{ end -}}
{{- if $database.variablesSecret }}{{ $ways = append $ways "variablesSecret" }}{{ end -}}
{{- if gt (len $ways) 1 -}}
{{- $faults = append $faults (printf "%s: database.%s say the same in two ways: keep one" $where (join " and database." $ways)) -}}
{{- else if not $ways -}}
{{- $faults = append $faults (printf "%s: it has no database: name a Secret with the URL in database.existingSecret, or one with PGHOST and the like in database.variablesSecret, or write database.conninfo and name a Secret with the password in database.passwordSecret" $where) -}}
{{- end -}}
{{- if and $database.passwordSecret (not $database.conninfo) -}}
{{- $faults = append $faults (printf "%s: database.passwordSecret goes with database.conninfo only; a URL, or PGPASSWORD, has the password with it" $where) -}}
{{- end -}}
{{- if regexMatch "(?i)password\\s*=|://[^/@]*:[^/@]*@" (default "" $database.conninfo) -}}
{{- $faults = append $faults (printf "%s: database.conninfo holds a password, and everybody who may read pods could read it: put it into a Secret and name that in database.passwordSecret" $where) -}}
{{- end -}}
{{- end -}}

{{- if $faults -}}
{{- fail (printf "\n\nthese values cannot be:\n  * %s\n" (join "\n  * " $faults)) -}}
{{- end -}}
{{- end }}
