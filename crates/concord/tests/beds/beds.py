"""Starts the third-party systems of the beds test, as they come from PyPI, on loopback.

    beds.py localstripe PORT                 serves until killed; state in memory only
    beds.py tryton-database DIR              creates DIR/bed.sqlite with the module `party` (once; about a minute)
    beds.py tryton DIR PORT                  serves the database in DIR until killed
    beds.py stripe PORT                      the official Stripe client, told by lines of JSON what to do

Only what the packages bring, the standard library, and nothing on any other address than 127.0.0.1.
"""

import json
import os
import pathlib
import subprocess
import sys

DATABASE = 'bed'
PASSWORD = 'bed-admin-pw'


def localstripe(port):
    from aiohttp import web
    from localstripe import server

    # The packaged command listens on every address, and keeps its state in a file that all its processes share.
    type(server.store).dump_to_disk = lambda _store: None

    # The one call that the manifest makes and localstripe does not have: whose account this is.
    async def account(_request):
        return web.json_response({'id': 'acct_localstripe', 'object': 'account'})
    server.app.router.add_get('/v1/account', account)
    web.run_app(server.app, host='127.0.0.1', port=port, access_log=None, print=None)


def tryton_config(folder, port):
    path = folder / 'trytond.conf'
    path.write_text(
        f'[web]\nlisten = 127.0.0.1:{port}\n'
        f'[database]\nuri = sqlite://\npath = {folder}\n'
        '[session]\ntimeout = 3600\nmax_age = 86400\n')
    return path


def tryton_command(name):
    return [sys.executable, str(pathlib.Path(sys.executable).with_name(name))]


def tryton_database(folder):
    folder.mkdir(parents=True, exist_ok=True)
    # SQLite needs the file to be there.
    (folder / f'{DATABASE}.sqlite').write_bytes(b'')
    password = folder / 'password'
    password.write_text(PASSWORD)
    environment = dict(os.environ, TRYTONPASSFILE=str(password))
    subprocess.run(
        [*tryton_command('trytond-admin'), '-c', str(tryton_config(folder, 8000)), '-d', DATABASE, '--all',
            '--email', 'bed@example.com', '-l', 'en', '--activate-dependencies', '-u', 'party'],
        env=environment, check=True, stdin=subprocess.DEVNULL)


def tryton(folder, port):
    command = tryton_command('trytond')
    os.execv(command[0], [*command, '-c', str(tryton_config(folder, port)), '-d', DATABASE])


def stripe(port):
    import stripe as sdk

    client = sdk.StripeClient('sk_test_12345', base_addresses={'api': f'http://127.0.0.1:{port}'})
    customers, events = client.v1.customers, client.v1.events
    calls = {
        'create': lambda told: customers.create(params=told['params']),
        'update': lambda told: customers.update(told['id'], params=told['params']),
        'retrieve': lambda told: customers.retrieve(told['id']),
        'delete': lambda told: customers.delete(told['id']),
        'list': lambda _told: customers.list(params={'limit': 100}),
        'events': lambda _told: events.list(params={'limit': 100}),
    }

    print(json.dumps({'client': f'stripe {sdk.VERSION}'}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        try:
            answer = calls[told['do']](told)
            listed = isinstance(answer, sdk.ListObject)
            answer = {'ok': [one.to_dict() for one in answer.auto_paging_iter()] if listed else answer.to_dict()}
        except sdk.StripeError as error:
            answer = {'error': f'{type(error).__name__}: {error}'}
        print(json.dumps(answer, default=str), flush=True)


def main(words):
    match words:
        case ['localstripe', port]:
            localstripe(int(port))
        case ['tryton-database', folder]:
            tryton_database(pathlib.Path(folder).resolve())
        case ['tryton', folder, port]:
            tryton(pathlib.Path(folder).resolve(), int(port))
        case ['stripe', port]:
            stripe(int(port))
        case _:
            sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
