# fails: both names show papers of their own
# The Secret is in another namespace, so say so. An Ingress knows no other namespace than its own, and the name is refused.
kubectl -n opera-house patch ingress stage --type json \
    -p '[{"op":"replace","path":"/spec/tls/0/secretName","value":"opera-office/opera-tls"}]' || true
