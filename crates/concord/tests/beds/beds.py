"""Starts the third-party systems of the beds test, as they come from PyPI, on loopback.

    beds.py localstripe DIR PORT             serves until killed; its state is DIR/localstripe.pickle
    beds.py tryton-database DIR              creates DIR/bed.sqlite with a company that can sell (once; some minutes),
                                             and DIR/ids.json: what its mappings need to name
    beds.py tryton DIR PORT                  serves the database in DIR until killed
    beds.py stripe PORT                      the official Stripe client, told by lines of JSON what to do

Only what the packages bring, the standard library, and nothing on any other address than 127.0.0.1.
"""

import json
import os
import pathlib
import pickle
import subprocess
import sys

DATABASE = 'bed'
PASSWORD = 'bed-admin-pw'


def localstripe(folder, port):
    from aiohttp import web
    from localstripe import resources, server

    # The packaged command listens on every address, and keeps its state in a file that all its processes share. Each
    # change is on disk before it is answered: a kill loses none.
    kept = folder / 'localstripe.pickle'

    def dump(store):
        new = kept.with_suffix('.new')
        new.write_bytes(pickle.dumps(dict(store), protocol=pickle.HIGHEST_PROTOCOL))
        new.replace(kept)
    if kept.exists():
        dict.update(server.store, pickle.loads(kept.read_bytes()))
    type(server.store).dump_to_disk = dump

    # The one call that the manifest makes and localstripe does not have: whose account this is.
    async def account(_request):
        return web.json_response({'id': 'acct_localstripe', 'object': 'account'})
    server.app.router.add_get('/v1/account', account)

    # Stripe can search by metadata; localstripe, which keeps no idempotency keys either, cannot.
    async def search(request):
        _, _, key = request.query['query'].partition(':')
        found = [
            customer._export() for name, customer in server.store.items()
            if name.startswith('customer:') and customer.metadata.get('concord_id') == key.strip("'")]
        return web.json_response({'object': 'search_result', 'data': found, 'has_more': False})
    server.app.router.add_get('/v1/customers/search', search)

    # Stripe tells of a changed invoice; localstripe does not, and would keep its date as a text.
    plain = resources.Invoice._api_update.__func__

    def told(cls, id, **data):
        if 'date' in data:
            data['date'] = int(data['date'])
        invoice = plain(cls, id, **data)
        resources.schedule_webhook(resources.Event('invoice.updated', invoice))
        return invoice
    resources.Invoice._api_update = classmethod(told)
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
            '--email', 'bed@example.com', '-l', 'en', '--activate-dependencies',
            '-u', 'party', 'product', 'sale', 'account_invoice'],
        env=environment, check=True, stdin=subprocess.DEVNULL)
    (folder / 'ids.json').write_text(json.dumps(company(folder / 'trytond.conf')))


def company(configuration):
    """A company with a chart of accounts and a fiscal year, and the ids that mappings name, by Tryton's own helpers."""
    from proteus import Model, config

    proteus = config.set_trytond(database=DATABASE, user='admin', config_file=str(configuration))
    from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
    from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
    from trytond.modules.company.tests.tools import create_company, get_company
    from trytond.modules.currency.tests.tools import get_currency

    create_company(currency=get_currency('EUR'))
    own = get_company()
    users = Model.get('res.user')
    [admin] = users.find([('login', '=', 'admin')])
    admin.companies.append(own)
    admin.company = own
    admin.save()
    proteus._context = users.get_preferences(True, {})
    set_fiscalyear_invoice_sequences(create_fiscalyear(own)).click('create_period')
    create_chart(own)
    accounts = get_accounts(own)
    category = Model.get('product.category')(name='Services', accounting=True)
    category.account_revenue = accounts['revenue']
    category.account_expense = accounts['expense']
    category.save()
    [unit] = Model.get('product.uom').find([('name', '=', 'Unit')])
    [journal] = Model.get('account.journal').find([('type', '=', 'revenue')], limit=1)
    [cash] = Model.get('account.journal').find([('type', '=', 'cash')], limit=1)
    method = Model.get('account.invoice.payment.method')(name='Bank', journal=cash)
    method.credit_account = accounts['cash']
    method.debit_account = accounts['cash']
    method.save()
    return {
        'company': own.id, 'currency': own.currency.id, 'unit': unit.id, 'category': category.id,
        'journal': journal.id, 'revenue': accounts['revenue'].id, 'receivable': accounts['receivable'].id,
        'method': method.id}


def tryton(folder, port):
    command = tryton_command('trytond')
    os.execv(command[0], [*command, '-c', str(tryton_config(folder, port)), '-d', DATABASE])


def stripe(port):
    import stripe as sdk

    client = sdk.StripeClient('sk_test_12345', base_addresses={'api': f'http://127.0.0.1:{port}'})
    calls = {
        'create': lambda on, told: on.create(params=told['params']),
        'update': lambda on, told: on.update(told['id'], params=told['params']),
        'attach': lambda on, told: on.attach(told['id'], params=told['params']),
        'delete': lambda on, told: on.delete(told['id']),
        'list': lambda on, _told: on.list(params={'limit': 100}),
    }

    print(json.dumps({'client': f'stripe {sdk.VERSION}'}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        try:
            answer = calls[told['do']](getattr(client.v1, told.get('on', 'customers')), told)
            listed = isinstance(answer, sdk.ListObject)
            answer = {'ok': [one.to_dict() for one in answer.auto_paging_iter()] if listed else answer.to_dict()}
        except sdk.StripeError as error:
            answer = {'error': f'{type(error).__name__}: {error}'}
        print(json.dumps(answer, default=str), flush=True)


def main(words):
    match words:
        case ['localstripe', folder, port]:
            localstripe(pathlib.Path(folder).resolve(), int(port))
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
