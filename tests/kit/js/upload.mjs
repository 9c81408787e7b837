// Uploads a file with tus-js-client: node upload.mjs ENDPOINT FILE URLS STOP_AT
// URLS is the file in which the client remembers uploads; past STOP_AT bytes (0: never) it dies.
import fs from "node:fs";
import path from "node:path";
import * as tus from "tus-js-client";

const [endpoint, file, urls, stopAt] = process.argv.slice(2);

const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  uploadSize: fs.statSync(file).size,
  metadata: { filename: path.basename(file) },
  chunkSize: 1 << 20,
  retryDelays: [0, 100, 1000],
  storeFingerprintForResuming: true,
  urlStorage: new tus.FileUrlStorage(urls),
  fingerprint: async () => file,
  onProgress: (sent) => {
    if (Number(stopAt) && sent >= Number(stopAt)) process.kill(process.pid, "SIGKILL");
  },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(upload.url),
});
const [before] = await upload.findPreviousUploads();
if (before) upload.resumeFromPreviousUpload(before);
console.log(before ? "resumed" : "new");
upload.start();
