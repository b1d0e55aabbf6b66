# fails: both names show papers of their own
# The Secret is found now, for the one name that the tls part speaks about; the other one still gets the stranger's.
kubectl apply -f - <<'YAML'
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: stage
  namespace: opera-house
  annotations:
    cert-manager.io/issuer: guild
spec:
  ingressClassName: nginx
  tls:
    - hosts: [www.opera.example]
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
YAML
kubectl -n opera-house wait --for=create certificate/opera-tls --timeout 60s
kubectl -n opera-house wait --for=condition=Ready certificate/opera-tls --timeout 120s
