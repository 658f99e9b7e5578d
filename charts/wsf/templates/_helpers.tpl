{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Labels of an object; takes (list . "wsf-operator"). */}}
{{- define "wsf.labels" -}}
{{- $root := index . 0 -}}
{{ include "wsf.selector" (index . 1) }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that never change: a Deployment's selector cannot. */}}
{{- define "wsf.selector" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: wsf
{{- end }}

{{/* The reference of an image; takes (list . "wsf-operator"). */}}
{{- define "wsf.image" -}}
{{- $root := index . 0 -}}
{{- $image := $root.Values.image -}}
{{ with $image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ index . 1 }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* Cluster-wide names: two releases in one cluster do not share them. */}}
{{- define "wsf.clusterName" -}}
{{- $root := index . 0 -}}
{{ index . 1 }}{{ if ne $root.Release.Namespace "wsf-system" }}-{{ $root.Release.Namespace }}{{ end }}
{{- end }}

{{/* What every pod of ours runs as (Pod Security "restricted"). */}}
{{- define "wsf.podSecurity" -}}
runAsNonRoot: true
{{- if eq .Values.userIds "ours" }}
runAsUser: 65532
runAsGroup: 65532
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "wsf.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "wsf.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where the pods go; takes (list . "operator"). */}}
{{- define "wsf.placement" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
{{- $values := index $root.Values $part -}}
nodeSelector: {{- merge (dict "kubernetes.io/os" "linux") $values.nodeSelector | toYaml | nindent 2 }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "wsf.selector" (printf "wsf-%s" $part) | nindent 8 }}
{{- end }}
{{- end }}

{{/* The certificate that clients of wss see, "" without one. */}}
{{- define "wsf.publicSecret" -}}
{{- $tls := .Values.gateway.tls -}}
{{- if $tls.secretName }}{{ $tls.secretName }}{{ else if $tls.certManager.enabled }}wsf-gateway-public{{ end }}
{{- end }}

{{/* Names that clients reach every function by: those of the Ingress and the HTTPRoute too, but for
     what `hosts` gives to a namespace. A wildcard is nobody's. */}}
{{- define "wsf.ownHosts" -}}
{{- $gateway := .Values.gateway -}}
{{- $all := .Values.ownHosts -}}
{{- if $gateway.ingress.enabled }}{{ $all = concat $all $gateway.ingress.hosts }}{{ end -}}
{{- if $gateway.httpRoute.enabled }}{{ $all = concat $all $gateway.httpRoute.hostnames }}{{ end -}}
{{- $granted := list -}}
{{- range .Values.hosts }}{{ $granted = concat $granted . }}{{ end -}}
{{- $own := list -}}
{{- range uniq $all }}{{ if not (or (hasPrefix "*" .) (has . $granted)) }}{{ $own = append $own . }}{{ end }}{{ end -}}
{{- join "," $own -}}
{{- end }}

{{/* Flags of the operator, which the drain before an uninstall shares: it writes a last status. */}}
{{- define "wsf.operatorFlags" -}}
- --namespace={{ .Release.Namespace }}
{{- with .Values.namespaces }}
- --namespaces={{ join "," . }}
{{- end }}
- --advertise=wsf-operator.{{ .Release.Namespace }}.svc:9443
- --relay-image={{ include "wsf.image" (list . "wsf-sidecar") }}
- --public-url={{ .Values.publicUrl | default (printf "ws://wsf-gateway.%s.svc" .Release.Namespace) }}
- --user-ids={{ .Values.userIds }}
{{- with .Values.relay.pullSecrets }}
- --relay-pull-secret={{ join "," . }}
{{- end }}
- --surplus-seconds={{ int .Values.operator.surplusSeconds }}
- --scale-out-per-minute={{ int .Values.operator.scaleOutPerMinute }}
{{- with .Values.limits.maxMessageBytes }}
- --max-message-bytes={{ int64 . }}
{{- end }}
{{- with .Values.limits.maxRequestBytesPerSecond }}
- --max-request-bytes-per-second={{ int64 . }}
{{- end }}
{{- with .Values.limits.maxRequestsPerSecond }}
- --max-requests-per-second={{ int64 . }}
{{- end }}
{{- with .Values.allow.serviceAccounts }}
- --allow-service-account={{ join "," . }}
{{- end }}
{{- with .Values.allow.runtimeClasses }}
- --allow-runtime-class={{ join "," . }}
{{- end }}
{{- with .Values.allow.priorityClasses }}
- --allow-priority-class={{ join "," . }}
{{- end }}
{{- with include "wsf.ownHosts" . }}
- --own-host={{ . }}
{{- end }}
{{- range $namespace, $suffixes := .Values.hosts }}
{{- range $suffixes }}
- --hosts={{ $namespace }}={{ . }}
{{- end }}
{{- end }}
{{- range $flag, $value := dict "cpu-request" .Values.relay.cpuRequest "cpu-limit" .Values.relay.cpuLimit "memory-request" .Values.relay.memoryRequest "memory-limit" .Values.relay.memoryLimit }}
{{- if $value }}
- --relay-{{ $flag }}={{ $value }}
{{- end }}
{{- end }}
- --max-eviction={{ .Values.maxEviction }}
{{- if .Values.keepFromEviction }}
- --keep-from-eviction
{{- end }}
{{- end }}

{{/* Environment by which the replicas know each other. */}}
{{- define "wsf.identity" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- end }}
