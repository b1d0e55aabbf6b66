# fails: thirty guests in a row are woken
# Let the Service choose the wing that works. The guests of the other one are woken by nobody.
kubectl -n grandhotel patch service wakeup -p '{"spec":{"selector":{"wing":"old"}}}'
