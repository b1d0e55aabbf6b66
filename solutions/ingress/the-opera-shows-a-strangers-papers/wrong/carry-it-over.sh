# fails: the papers are renewed where they are used
# The Secret is in the other house, so somebody carries a copy over. All is well until February: the copy is nobody's.
until kubectl -n opera-office get secret opera-tls -o name >/dev/null 2>&1; do sleep 0.2; done
dir=$(mktemp -d)
for part in tls.crt tls.key; do
    kubectl -n opera-office get secret opera-tls -o jsonpath="{.data['$(echo $part | sed 's/\./\\./')']}" | base64 -d > "$dir/$part"
done
kubectl -n opera-house create secret tls opera-tls --cert "$dir/tls.crt" --key "$dir/tls.key"
rm -r "$dir"
kubectl -n opera-house patch ingress stage --type json \
    -p '[{"op":"replace","path":"/spec/tls/0/hosts","value":["opera.example","www.opera.example"]}]'
