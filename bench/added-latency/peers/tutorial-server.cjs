// The gateway of a tutorial: Express takes requests, axios calls the provider, Redis keeps answers. Its packages are found by NODE_PATH.
const { createHash } = require('node:crypto');
const axios = require('axios');
const express = require('express');
const { Redis } = require('ioredis');

const { PORT, PROVIDER, REDIS_URL } = process.env;
const TTL_S = 3600;

const redis = new Redis(REDIS_URL);
const app = express();
app.use(express.json({ limit: '10mb' }));

app.post('/v1/chat/completions', async (req, res) => {
  const headers = { authorization: req.headers.authorization };
  if (req.body.stream) {
    const upstream = await axios.post(`${PROVIDER}/chat/completions`, req.body, { headers, responseType: 'stream' });
    res.set('x-cache', 'MISS').type('text/event-stream');
    upstream.data.pipe(res);
    return;
  }
  const key = `answer:${createHash('sha256').update(JSON.stringify(req.body)).digest('hex')}`;
  const known = await redis.get(key);
  if (known !== null) {
    res.set('x-cache', 'HIT-EXACT').json(JSON.parse(known));
    return;
  }
  const upstream = await axios.post(`${PROVIDER}/chat/completions`, req.body, { headers });
  await redis.set(key, JSON.stringify(upstream.data), 'EX', TTL_S);
  res.set('x-cache', 'MISS').json(upstream.data);
});

app.listen(Number(PORT), '127.0.0.1').keepAliveTimeout = 60_000;
