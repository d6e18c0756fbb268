// A wall tablet with the old site's page, as it was: its plan, its event stream and its calls, served by the mesh.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '@monitor-mesh/shared/store/open-store.ts';
import { dispositif } from '../shared/test/store/deliveries.ts';
import { startMesh, temporaryFolder } from './mesh-process.ts';
import { openBrowser, until } from './rig.ts';

const skip = existsSync('/usr/bin/chromium') ? false : 'chromium is not installed';

/** What the old page does with an event: number of the plan by the id, the element's style by the state, then its own call. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>monitor</title>
<svg width="80" height="40"><rect id="porte" width="40" height="40"/><rect id="lampe" x="40" width="40" height="40"/></svg>
<p id="messages"></p><p id="status"></p>
<script>
var pp = {}, ids = {};
var ON = ['on', 'On', 'open', 'Open', 'ON', 'group on'];
function get(url, then) {
  var request = new XMLHttpRequest();
  request.open('GET', url);
  request.onload = function () { then(request.responseText); };
  request.send();
}
function show(idm, state) {
  var device = pp[idm];
  if (!device) return;
  device.Data = state;
  var element = document.getElementById(device.ID1);
  if (element) element.setAttribute('style', ON.indexOf(state) >= 0 ? device.coul_ON : device.coul_OFF);
}
get('ajax.php?app=devices_plan&variable=2', function (text) {
  pp = JSON.parse(text);
  for (var idm in pp) show(idm, pp[idm].Data);
  get('ajax.php?app=idxidm&command=5', function (table) {
    JSON.parse(table).forEach(function (row) { ids[row.id] = row.idm; });
    var source = new EventSource('include/serveur_sse.php');
    source.addEventListener('open', function () { document.getElementById('status').textContent = 'connecté'; });
    source.addEventListener('message', function (event) {
      document.getElementById('messages').textContent = event.data;
      var data = JSON.parse(event.data);
      show(ids[data.id], data.state);
      get('ajax.php?app=maj&id=&state=Ok&command=6', function () {});
    });
  });
});
</script>`;

test('the old page shows its plan, follows each change, and its own call after it erases none', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  {
    await using store = await openStore({ kind: 'sqlite', path: join(folder, 'monitor.sqlite') });
    const colours = { coul_id1_id2_ON: 'fill:red', coul_id1_id2_OFF: 'fill:#01a3e9', maj_js: 'etat' };
    const rows = [
      dispositif({ num: 1, ID: '', idx: '317', idm: '12', Actif: '2', id1_html: 'porte', param: '', ...colours }),
      dispositif({ num: 2, ID: 'light.lampe_jardin', idm: '13', Actif: '3', id1_html: 'lampe', param: '', ...colours }),
    ];
    await store.apply([{ mid: 'house', received_ms: 1, rows }]);
  }
  const mesh = await startMesh(t, { DATA_DIR: folder });
  const maj = async (id: string, state: string): Promise<void> => {
    assert.equal((await fetch(`${mesh.url}/monitor/api/json.php?app=maj&id=${id}&state=${state}`)).status, 200);
  };
  const page = await (await openBrowser(t)).newPage();
  const failed: string[] = [];
  page.on('response', (response) => void (response.ok() || failed.push(`${response.status()} ${response.url()}`)));
  await page.route('**/monitor/', (route) => route.fulfill({ contentType: 'text/html', body: PAGE }));
  await page.goto(`${mesh.url}/monitor/`);
  await page.waitForSelector('#status:not(:empty)');
  const styleOf = (id: string): Promise<string | null> => page.getAttribute(`#${id}`, 'style');

  await maj('317', 'Open');
  await until('the door is red', async () => (await styleOf('porte')) === 'fill:red');
  assert.match(
    (await page.textContent('#messages')) ?? '',
    /^\{"heure":"\d\d:\d\d:\d\d","id":"317","state":"Open"\} ?$/u,
  );
  // Three at once: the old table kept the last only.
  await Promise.all([maj('317', 'Closed'), maj('light.lampe_jardin', 'on')]);
  await until(
    'both',
    async () => (await styleOf('porte')) === 'fill:#01a3e9' && (await styleOf('lampe')) === 'fill:red',
  );
  assert.deepEqual(failed, []);
});
