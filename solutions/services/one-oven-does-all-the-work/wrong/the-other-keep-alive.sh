# fails: every oven gets its share
# It sounds right: no keep-alive. This one is TCP's, a sign of life on an idle line. The line is not idle, and not closed.
kubectl -n bakery set env deployment/shop CURL_OPTIONS=--no-keepalive
kubectl -n bakery rollout status deployment shop --timeout 120s
