module github.com/pillion-dev/pillion/tests/bench/peers/bridge

go 1.26.8
