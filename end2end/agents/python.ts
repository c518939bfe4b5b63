import { join } from 'node:path';
import { NO_CLOUD, runWithFiles, type Finished } from './process';

export const PYTHON = join(__dirname, '../.venv/bin/python');

const FLASK_ROUTE = `

@app.route("/")
def one_transaction():
    return "ok"

# The agent ends the transaction when the response is closed, as a server does.
with app.test_client().get("/", buffered=True) as response:
    assert response.status_code == 200
`;

/** Sends what the agent still holds; a server would do so in its own time. */
const FLUSH = `
import elasticapm
elasticapm.get_client().close()
`;

/** Elastic's agent for Python in a Flask application with one route. */
export function sendWithFlask(snippet: string): Promise<Finished> {
  const makesItsOwn = /^app\s*=\s*Flask\(/m.test(snippet);
  const head = makesItsOwn ? '' : 'from flask import Flask\n\napp = Flask(__name__)\n';
  return runWithFiles({ 'app.py': `${head}${snippet}\n${FLASK_ROUTE}${FLUSH}` }, [PYTHON, 'app.py'], NO_CLOUD);
}

/** The settings that every Django project has before it meets the agent. */
const DJANGO_SETTINGS = `
SECRET_KEY = "only for this run"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = []
MIDDLEWARE = []
USE_TZ = True
`;

const DJANGO_URLS = `
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("ok"))]
`;

const DJANGO_RUN = `
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.test import Client
assert Client().get("/").status_code == 200
`;

/** The same agent in a Django project whose settings end with the snippet. */
export function sendWithDjango(snippet: string): Promise<Finished> {
  return runWithFiles(
    { 'settings.py': `${DJANGO_SETTINGS}${snippet}\n`, 'urls.py': DJANGO_URLS, 'app.py': `${DJANGO_RUN}${FLUSH}` },
    [PYTHON, 'app.py'],
    NO_CLOUD,
  );
}
