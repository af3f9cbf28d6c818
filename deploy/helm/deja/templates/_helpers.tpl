{{/* What the release's objects are called: `deja` for a release of that name, `<release>-deja` for others. */}}
{{- define "deja.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "deja" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-deja" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What all pods of the release have in common. */}}
{{- define "deja.instance" -}}
app.kubernetes.io/name: deja
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The pods of one app: (dict "root" $ "component" "gateway"). */}}
{{- define "deja.selector" -}}
{{ include "deja.instance" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "deja.release" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of an object that belongs to one app. */}}
{{- define "deja.labels" -}}
{{ include "deja.selector" . }}
{{ include "deja.release" .root }}
{{- end -}}

{{/* Labels of an object that belongs to all of them. */}}
{{- define "deja.commonLabels" -}}
{{ include "deja.instance" . }}
{{ include "deja.release" . }}
{{- end -}}

{{/* (dict "root" $ "app" .Values.gateway). A tag is required to be one: nothing here is called `latest`. */}}
{{- define "deja.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- $tag := .app.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}{{ .app.image.repository }}:{{ $tag }}
{{- end -}}

{{/* What every object of a kind that a pod may have: who made them, spread and rights. (dict "root" $ "component" "gateway" "app" .Values.gateway) */}}
{{- define "deja.podTemplateMetadata" -}}
labels:
  {{- include "deja.selector" . | nindent 2 }}
  {{- with .app.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/environment: {{ toJson .root.Values.environment | printf "%s %s" .root.Values.tracing.endpoint | sha256sum }}
  {{- with .app.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "deja.pod" -}}
serviceAccountName: {{ include "deja.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
# Variables that Kubernetes makes of Services' names could be taken for deja's own.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .app.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .app.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .app.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "deja.podSecurity" (dict "user" 1000) | nindent 0 }}
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: {{ .root.Values.zoneSpread }}
    labelSelector:
      matchLabels:
        {{- include "deja.selector" . | nindent 8 }}
    # Each version by itself: pods that are on their way out do not count.
    matchLabelKeys: [pod-template-hash]
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "deja.selector" . | nindent 14 }}
{{- end -}}

{{- define "deja.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "deja.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Image, variables of all apps, probes: (dict "root" $ "app" .Values.gateway "readyFailures" 12). */}}
{{- define "deja.container" -}}
image: {{ include "deja.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
envFrom:
  - configMapRef: { name: {{ include "deja.fullname" .root }}-environment }
startupProbe:
  httpGet: { path: /healthz, port: ops }
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 30
readinessProbe:
  httpGet: { path: /readyz, port: ops }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ .readyFailures }}
livenessProbe:
  httpGet: { path: /healthz, port: ops }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml .app.resources | nindent 2 }}
{{ include "deja.containerSecurity" . }}
{{- end -}}

{{/* Which pod a span comes from, in the words of OpenTelemetry; and variables of your own. */}}
{{- define "deja.env" -}}
{{- if .root.Values.tracing.endpoint }}
- { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
- { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
- { name: NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
- { name: OTEL_RESOURCE_ATTRIBUTES, value: "k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.node.name=$(NODE_NAME)" }
{{- end }}
{{- with .app.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The keys of the Secret that a pod is given, as files: (dict "root" $ "keys" (list "redis-url")). */}}
{{- define "deja.secretsVolume" -}}
- name: secrets
  secret:
    secretName: {{ .root.Values.secret }}
    defaultMode: 288 # 0440: root, and the group of fsGroup
    items:
      {{- range .keys }}
      - { key: {{ . }}, path: {{ . }} }
      {{- end }}
{{- end -}}

{{/* A rule of a network policy: whom to, at which ports. Without `to`, anybody. */}}
{{- define "deja.towards" -}}
- ports:
    {{- range .ports }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "deja.toRedis" -}}
{{- if .Values.tryout.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "deja.selector" (dict "root" . "component" "redis") | nindent 10 }}
  ports:
    - { port: 6379, protocol: TCP }
{{- else }}
{{- include "deja.towards" .Values.networkPolicy.redis | nindent 0 }}
{{- end }}
{{- end -}}

{{- define "deja.toPostgres" -}}
{{- if .Values.tryout.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "deja.selector" (dict "root" . "component" "postgres") | nindent 10 }}
  ports:
    - { port: 5432, protocol: TCP }
{{- else }}
{{- include "deja.towards" .Values.networkPolicy.postgres | nindent 0 }}
{{- end }}
{{- end -}}
