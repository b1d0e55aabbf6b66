# also right: the shop says with each order that it was the last on this connection, in HTTP's own words.
kubectl -n bakery set env deployment/shop CURL_OPTIONS=-HConnection:close
kubectl -n bakery rollout status deployment shop --timeout 120s
