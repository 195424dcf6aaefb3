'use strict';
(() => {
  const $ = id => document.getElementById(id);
  const [video, canvas, stage, status, answers] = ['video', 'canvas', 'stage', 'status', 'answers'].map($);
  const context = canvas.getContext('2d');
  const WIDEST = 640, QUALITY = 0.8, COLORS = ['#ffd23f', '#4dd2ff', '#ff7ab8', '#8ef06a', '#ffa24d', '#c9a6ff'];
  let token = '', stream = null, still = null, asked = 0;

  const say = (text, isError = false) => {
    if (status.textContent !== text) status.textContent = text;
    status.classList.toggle('error', isError);
  };
  const percent = share => `${(100 * share).toFixed(0)} %`;
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // The server turns a photo upright and says its size; the browser shows it upright too.
  async function ask(blob) {
    const headers = { 'Content-Type': blob.type || 'application/octet-stream' };
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(`v1/predict?faces=${$('faces').value}`, { method: 'POST', headers, body: blob });
    const answer = await response.json().catch(() => ({ detail: response.statusText }));
    if (response.ok) return answer;
    $('access').hidden = response.status !== 401;
    throw new Error(answer.detail || `the server answered ${response.status}`);
  }

  function draw(source, width, height, result) {
    stage.classList.remove('empty');
    const scale = Math.min(1, WIDEST / width);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    const faces = result ? result.faces : [];
    const by = result ? canvas.width / result.width : 1;
    const size = Math.max(13, Math.round(canvas.width / 34));
    context.lineWidth = Math.max(2, canvas.width / 240);
    context.font = `600 ${size}px system-ui, sans-serif`;
    for (const face of faces) {
      if (!face.box) continue;
      const [x, y, w, h] = face.box.map(value => value * by);
      const color = COLORS[face.id % COLORS.length];
      context.strokeStyle = color;
      context.strokeRect(x, y, w, h);
      const label = `${faces.length > 1 ? `${face.id + 1} ` : ''}${face.expression} ${percent(face.probability)}`;
      const wide = context.measureText(label).width + size * 0.8, tall = size * 1.5;
      const left = Math.max(0, Math.min(x, canvas.width - wide));
      const top = y >= tall ? y - tall : Math.min(y + h, canvas.height - tall);
      context.fillStyle = color;
      context.fillRect(left, top, wide, tall);
      context.fillStyle = '#111';
      context.textBaseline = 'middle';
      context.fillText(label, left + size * 0.4, top + tall / 2);
    }
    canvas.setAttribute('aria-label', faces.length === 0 ? 'The picture, without a face'
      : `The picture: ${faces.map(face => `face ${face.id + 1}, ${face.expression}`).join('; ')}`);
  }

  function show(answer, result) {
    $('terms').textContent = `Model: ${answer.model.name}. `
      + answer.model.notes.map(note => `${note.replace(/\.$/, '')}.`).join(' ');
    if (!result) {
      answers.replaceChildren(element('p', 'No face was found.', 'none'));
      return;
    }
    answers.replaceChildren(...result.faces.map(face => {
      const block = element('article', undefined, 'face'), bars = element('dl', undefined, 'bars');
      block.append(element('h3', `${result.faces.length > 1 ? `Face ${face.id + 1}: ` : ''}${face.expression}, `
        + percent(face.probability)));
      for (const name of answer.model.classes) {
        const share = face.probabilities[name], top = share === face.probability ? 'top' : '';
        const bar = element('dd', undefined, `bar ${top}`), filled = element('span');
        filled.style.width = `${100 * share}%`;
        bar.append(filled);
        const meter = { role: 'meter', 'aria-label': name, 'aria-valuemin': 0, 'aria-valuemax': 1, 'aria-valuenow': share,
          'aria-valuetext': percent(share) };
        for (const [attribute, value] of Object.entries(meter)) filled.setAttribute(attribute, value);
        bars.append(element('dt', name, top), bar, element('dd', percent(share), `share ${top}`));
      }
      block.append(bars);
      return block;
    }));
  }

  const words = result => !result ? 'No face was found.'
    : result.faces.map(face => `${result.faces.length > 1 ? `Face ${face.id + 1}: ` : ''}`
      + `${face.expression}, ${percent(face.probability)}.`).join(' ');

  async function answerStill() {
    const own = ++asked, { blob, image } = still;
    draw(image, image.width, image.height, null);
    say('Asking the server …');
    try {
      const answer = await ask(blob), result = answer.results[0];
      if (own !== asked) return;
      draw(image, image.width, image.height, result);
      show(answer, result);
      say(words(result));
    } catch (failure) {
      if (own === asked) say(`No answer: ${failure.message}`, true);
    }
  }

  async function take(file) {
    if (!file) return;
    stop();
    try {
      still = { blob: file, image: await createImageBitmap(file) };
    } catch {
      say(`${file.name} is no picture that this browser can show.`, true);
      return;
    }
    await answerStill();
  }

  // One frame is underway at a time: the next is taken when its answer has come.
  async function watch() {
    const own = stream, frame = document.createElement('canvas');
    let last = '';
    while (stream === own) {
      const scale = Math.min(1, WIDEST / video.videoWidth);
      frame.width = Math.round(video.videoWidth * scale);
      frame.height = Math.round(video.videoHeight * scale);
      frame.getContext('2d').drawImage(video, 0, 0, frame.width, frame.height);
      const blob = await new Promise(done => frame.toBlob(done, 'image/jpeg', QUALITY));
      try {
        const answer = await ask(blob), result = answer.results[0];
        if (stream !== own) return;
        draw(frame, frame.width, frame.height, result);
        show(answer, result);
        // A screen reader hears changes of the expression, not every frame.
        const now = result ? result.faces.map(face => face.expression).join(', ') : 'no face';
        if (now !== last) say(`Camera: ${last = now}.`);
      } catch (failure) {
        if (stream !== own) return;
        say(`No answer: ${failure.message}`, true);
        if (!$('access').hidden) return stop();
        await new Promise(done => setTimeout(done, 1000));
      }
    }
  }

  async function start() {
    if (!navigator.mediaDevices) {
      say('The browser gives a camera to pages of localhost and https alone.', true);
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: 'user' } });
    } catch (failure) {
      say(`No camera: ${failure.message}`, true);
      return;
    }
    still = null;
    asked++;
    video.srcObject = stream;
    await video.play();
    $('camera').setAttribute('aria-pressed', 'true');
    $('camera').textContent = 'Stop the camera';
    say('The camera runs.');
    await watch();
  }

  function stop() {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    $('camera').setAttribute('aria-pressed', 'false');
    $('camera').textContent = 'Start the camera';
    say('The camera is off.');
  }

  $('file').addEventListener('change', event => {
    take(event.target.files[0]);
    event.target.value = '';
  });
  $('camera').addEventListener('click', () => stream ? stop() : start());
  $('faces').addEventListener('change', () => still && answerStill());
  $('access').addEventListener('submit', event => {
    event.preventDefault();
    token = $('token').value;
    $('access').hidden = true;
    if (still) answerStill();
    else say('The token is kept until the page is closed.');
  });
  for (const name of ['dragenter', 'dragover']) document.addEventListener(name, event => {
    event.preventDefault();
    stage.classList.add('over');
  });
  for (const name of ['dragleave', 'drop']) document.addEventListener(name, event => {
    event.preventDefault();
    stage.classList.remove('over');
  });
  document.addEventListener('drop', event => take(event.dataTransfer.files[0]));
  document.addEventListener('paste', event => take(event.clipboardData.files[0]));
})();
