#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds a librdkafka newer than Debian's in this folder, of the sources that npm's node-rdkafka comes with.
set -e
npm install --silent --ignore-scripts --no-save --no-audit --no-fund node-rdkafka@3.4.1
cd node_modules/node-rdkafka/deps/librdkafka
./configure --disable-curl --disable-gssapi --disable-lz4-ext
make -j"$(nproc)" -C src librdkafka.so.1
