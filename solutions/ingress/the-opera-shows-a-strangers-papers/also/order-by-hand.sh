# also right: the order is written by hand, into the namespace where the papers are used.
kubectl apply -f - <<'YAML'
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: stage
  namespace: opera-house
spec:
  ingressClassName: nginx
  tls:
    - hosts: [opera.example, www.opera.example]
      secretName: opera-tls
  rules:
    - host: opera.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: stage
                port:
                  number: 80
    - host: www.opera.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: stage
                port:
                  number: 80
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: stage
  namespace: opera-house
spec:
  secretName: opera-tls
  dnsNames: [opera.example, www.opera.example]
  issuerRef:
    name: guild
YAML
kubectl -n opera-house wait --for=create certificate/stage --timeout 60s
kubectl -n opera-house wait --for=condition=Ready certificate/stage --timeout 120s
