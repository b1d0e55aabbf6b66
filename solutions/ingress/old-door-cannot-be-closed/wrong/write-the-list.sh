# fails: the new door asks the Services themselves
# A Service of our own for the lifts, with their addresses behind it: it answers like the old door, until the next rollout.
kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata:
  name: lifts-now
  namespace: resort
spec:
  ports:
  - port: 80
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: lifts-now
  namespace: resort
  labels:
    kubernetes.io/service-name: lifts-now
addressType: IPv4
ports:
- port: 8080
endpoints:
$(kubectl -n resort get pod -l app=lifts -o jsonpath='{range .items[*]}- addresses: [{.status.podIP}]{"\n"}{end}')
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: to-https
  namespace: resort
spec:
  parentRefs:
    - name: next
      sectionName: http
  hostnames:
    - ski.example
    - lifts.ski.example
  rules:
    - filters:
        - type: RequestRedirect
          requestRedirect:
            scheme: https
            statusCode: 308
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: pages
  namespace: resort
spec:
  parentRefs:
    - name: next
      sectionName: https
  hostnames:
    - ski.example
  rules:
    - backendRefs:
        - name: home
          port: 80
    - matches:
        - path:
            type: Exact
            value: /webcam
      backendRefs:
        - name: webcam
          port: 80
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: lifts
  namespace: resort
spec:
  parentRefs:
    - name: next
      sectionName: https
  hostnames:
    - lifts.ski.example
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: /live
      filters:
        - type: URLRewrite
          urlRewrite:
            path:
              type: ReplacePrefixMatch
              replacePrefixMatch: /
      backendRefs:
        - name: lifts-now
          port: 80
YAML
