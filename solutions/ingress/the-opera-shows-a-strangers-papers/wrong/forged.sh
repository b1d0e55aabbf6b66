# fails: both names show papers of their own
# Papers with the right names on them are quickly made, and no browser believes them.
dir=$(mktemp -d)
openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=opera.example \
    -addext subjectAltName=DNS:opera.example,DNS:www.opera.example -keyout "$dir/key" -out "$dir/crt" 2>/dev/null
kubectl -n opera-house create secret tls opera-tls --cert "$dir/crt" --key "$dir/key"
rm -r "$dir"
kubectl -n opera-house patch ingress stage --type json \
    -p '[{"op":"replace","path":"/spec/tls/0/hosts","value":["opera.example","www.opera.example"]}]'
